#pragma once

#include <mutex>
#include <utility>

namespace kvsplit {

/// A value that several threads read and change.
template <class Value>
class Shared {
 public:
  Value get() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }
  /// Returns what it was before.
  Value set(Value value) {
    const std::lock_guard lock(mutex_);
    return std::exchange(value_, std::move(value));
  }
  template <class Change>
  void change(const Change& change) {
    const std::lock_guard lock(mutex_);
    change(value_);
  }

 private:
  mutable std::mutex mutex_;
  Value value_{};
};

}  // namespace kvsplit
