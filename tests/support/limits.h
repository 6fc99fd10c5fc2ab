#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <fstream>

// What a machine has no more of, for as long as these objects live.
namespace kvsplit::test {

/// A limit of this process.
class Limit {
 public:
  Limit(decltype(RLIMIT_AS) resource, std::size_t value) : resource_(resource) {
    getrlimit(resource_, &before_);
    rlimit now = before_;
    now.rlim_cur = value;
    EXPECT_EQ(setrlimit(resource_, &now), 0);
  }
  ~Limit() { setrlimit(resource_, &before_); }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;

 private:
  decltype(RLIMIT_AS) resource_;
  rlimit before_{};
};

/// No more than so many bytes are got from the system besides those that the process has.
class LittleMemory : Limit {
 public:
  explicit LittleMemory(std::size_t more) : Limit(RLIMIT_AS, mapped() + more) {}

  /// Sanitizers have memory of their own, and some systems know no such limit.
  static bool can_be_tested() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__linux__)
    return false;
#else
    return true;
#endif
  }

 private:
  static std::size_t mapped() {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  }
};

/// No file grows beyond so many bytes: writes fail, as on a full disk.
class LittleDisk : Limit {
 public:
  explicit LittleDisk(std::size_t bytes) : Limit(RLIMIT_FSIZE, bytes) {
    std::signal(SIGXFSZ, SIG_IGN);  // or the process ends
  }
};

}  // namespace kvsplit::test
