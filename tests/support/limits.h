#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <new>
#include <utility>

// What a machine has no more of, for as long as these objects live.
namespace kvsplit::test {

/// A limit of this process.
class Limit {
 public:
  Limit(decltype(RLIMIT_AS) resource, std::size_t value) : resource_(resource) {
    getrlimit(resource_, &before_);
    set(value);
  }
  ~Limit() { setrlimit(resource_, &before_); }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;

  void set(std::size_t value) {
    rlimit now = before_;
    now.rlim_cur = value;
    EXPECT_EQ(setrlimit(resource_, &now), 0);
  }

 private:
  decltype(RLIMIT_AS) resource_;
  rlimit before_{};
};

/// No block of block_bytes or more is got from the system, or from what was freed before; small
/// ones are, or hosts would end.
class LittleMemory : Limit {
 public:
  static constexpr std::size_t block_bytes = std::size_t{8} << 20U;

  LittleMemory() : Limit(RLIMIT_AS, mapped() + block_bytes / 2) {
    constexpr int most = 1024;  // where the limit does not hold, that is 4 GiB and no more
    for (int n = 0; n < most; ++n) {
      void* const block = std::malloc(block_bytes / 2);
      if (block == nullptr) break;
      taken_ = new (block) Taken{taken_};
    }
    give_back();
    set(mapped() + block_bytes / 2);  // the heap may have taken all
  }
  ~LittleMemory() {
    while (taken_ != nullptr) give_back();
  }
  LittleMemory(const LittleMemory&) = delete;
  LittleMemory& operator=(const LittleMemory&) = delete;

  /// Sanitizers have memory of their own, and some systems know no such limit.
  static bool can_be_tested() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__linux__)
    return false;
#else
    return true;
#endif
  }

 private:
  struct Taken {
    Taken* next;
  };

  void give_back() {
    if (taken_ != nullptr) std::free(std::exchange(taken_, taken_->next));
  }
  static std::size_t mapped() {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  }

  Taken* taken_ = nullptr;
};

/// No file grows beyond so many bytes: writes fail, as on a full disk.
class LittleDisk : Limit {
 public:
  explicit LittleDisk(std::size_t bytes) : Limit(RLIMIT_FSIZE, bytes) {
    std::signal(SIGXFSZ, SIG_IGN);  // or the process ends
  }
};

}  // namespace kvsplit::test
