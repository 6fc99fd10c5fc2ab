#include "host/process.h"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#ifdef __APPLE__
#include <sys/sysctl.h>

#include <array>
#endif

namespace kvsplit::host {
namespace {

/// 0 where the system does not say.
int physical_cores() {
#ifdef __APPLE__
  int n_cores = 0;
  std::size_t size = sizeof n_cores;
  if (sysctlbyname("hw.perflevel0.physicalcpu", &n_cores, &size, nullptr, 0) == 0) return n_cores;
  return 0;
#else
  std::set<std::string> cores;  // a core is the list of its hardware threads
  for (int cpu = 0;; ++cpu) {
    std::ifstream list("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings_list");
    std::string siblings;
    if (!std::getline(list, siblings)) break;
    cores.insert(siblings);
  }
  return static_cast<int>(cores.size());
#endif
}

}  // namespace

int default_threads() {
  const int available = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int physical = physical_cores();
  return physical > 0 ? std::min(available, physical) : available;
}

std::string processor_name() {
#ifdef __APPLE__
  std::array<char, 256> name{};
  std::size_t size = name.size() - 1;
  if (sysctlbyname("machdep.cpu.brand_string", name.data(), &size, nullptr, 0) == 0) {
    return name.data();
  }
#else
  std::ifstream processors("/proc/cpuinfo");
  for (std::string line; std::getline(processors, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
#endif
  return "unknown processor";
}

std::uint64_t peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  constexpr std::uint64_t unit = 1;
#else
  constexpr std::uint64_t unit = 1024;
#endif
  return static_cast<std::uint64_t>(usage.ru_maxrss) * unit;
}

}  // namespace kvsplit::host
