#include "base/cpu_features.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace kvsplit {
namespace {

// What the kernel of the operating system says of the first processor; empty where it does not.
std::set<std::string> reported_flags() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("flags")) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    std::set<std::string> flags;
    for (std::string word; words >> word;) flags.insert(word);
    return flags;
  }
  return {};
}

TEST(CpuFeatures, AreThoseThatTheOperatingSystemReports) {
  const std::set<std::string> flags = reported_flags();
  if (flags.empty()) GTEST_SKIP() << "no flags in /proc/cpuinfo here";
  const auto all = [&flags](std::initializer_list<const char*> names) {
    return std::ranges::all_of(names, [&](const char* name) { return flags.contains(name); });
  };
  EXPECT_EQ(cpu_features().avx2, all({"avx2", "fma", "f16c"}));
  EXPECT_EQ(cpu_features().avx_vnni, all({"avx2", "fma", "f16c", "avx_vnni"}));
  EXPECT_EQ(cpu_features().avx512, all({"avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl",
                                        "avx512dq", "avx512_vnni"}));
}

TEST(CpuFeatures, TheWideOnesIncludeTheNarrow) {
  EXPECT_LE(cpu_features().avx512, cpu_features().avx2);
  EXPECT_LE(cpu_features().avx_vnni, cpu_features().avx2);
}

}  // namespace
}  // namespace kvsplit
