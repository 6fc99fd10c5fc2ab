#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <memory>
#include <new>

namespace kvsplit {

/// Zeroed memory of our own, straight from the system: pages that nobody touches cost nothing.
class Pages {
 public:
  Pages() = default;
  /// std::bad_alloc: the system has not that much memory.
  explicit Pages(std::size_t size) : data_(map(nullptr, size, 0), {size}) {}

  std::byte* data() const { return data_.get(); }
  std::size_t size() const { return data_.get_deleter().size; }

  /// All zeros again, by giving the pages back: as fast as few of them were touched.
  void zero() {
    if (data_ != nullptr) map(data(), size(), MAP_FIXED);
  }

 private:
  struct Unmap {
    std::size_t size;
    void operator()(std::byte* data) const { munmap(data, size); }
  };

  static std::byte* map(std::byte* at, std::size_t size, int flags) {
    const int kind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags;
    void* const data = mmap(at, size, PROT_READ | PROT_WRITE, kind, -1, 0);
    if (data == MAP_FAILED) throw std::bad_alloc();
    return static_cast<std::byte*>(data);
  }

  std::unique_ptr<std::byte, Unmap> data_;
};

}  // namespace kvsplit
