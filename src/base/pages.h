#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <utility>

namespace kvsplit {

/// Zeroed memory of our own, straight from the system: pages that nobody touches cost nothing.
class Pages {
 public:
  Pages() = default;
  /// std::bad_alloc: the system has not that much memory.
  explicit Pages(std::size_t size) : size_(size), data_(map(nullptr, size, 0)) {}
  ~Pages() {
    if (data_ != nullptr) munmap(data_, size_);
  }
  Pages(Pages&& other) noexcept
      : size_(std::exchange(other.size_, 0)), data_(std::exchange(other.data_, nullptr)) {}
  Pages& operator=(Pages&& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(data_, other.data_);
    return *this;
  }

  std::byte* data() const { return static_cast<std::byte*>(data_); }
  std::size_t size() const { return size_; }

  /// All zeros again, by giving the pages back: as fast as few of them were touched.
  void zero() {
    if (data_ != nullptr) map(data_, size_, MAP_FIXED);
  }

 private:
  static void* map(void* at, std::size_t size, int flags) {
    const int kind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags;
    void* const data = mmap(at, size, PROT_READ | PROT_WRITE, kind, -1, 0);
    if (data == MAP_FAILED) throw std::bad_alloc();
    return data;
  }

  std::size_t size_ = 0;
  void* data_ = nullptr;
};

}  // namespace kvsplit
