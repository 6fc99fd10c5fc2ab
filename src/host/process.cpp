#include "host/process.h"

#include <ggml-backend.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <thread>

#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

namespace kvsplit::host {
namespace {

#ifdef __APPLE__
constexpr std::uint64_t rss_unit = 1;

/// 0 where the system does not say.
int physical_cores() {
  int n_cores = 0;
  std::size_t size = sizeof n_cores;
  if (sysctlbyname("hw.perflevel0.physicalcpu", &n_cores, &size, nullptr, 0) == 0) return n_cores;
  return 0;
}
#else
constexpr std::uint64_t rss_unit = 1024;

int physical_cores() {
  std::set<std::string> cores;  // a core is the list of its hardware threads
  for (int cpu = 0;; ++cpu) {
    std::ifstream list("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings_list");
    std::string siblings;
    if (!std::getline(list, siblings)) break;
    cores.insert(siblings);
  }
  return static_cast<int>(cores.size());
}
#endif

}  // namespace

int default_threads() {
  const int available = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int physical = physical_cores();
  return physical > 0 ? std::min(available, physical) : available;
}

std::string processor_name() {
  return ggml_backend_dev_description(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU));
}

std::uint64_t peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * rss_unit;
}

// proc(5): 5 resets the peak, nothing else.
void forget_peak_rss() { std::ofstream("/proc/self/clear_refs") << 5; }

}  // namespace kvsplit::host
