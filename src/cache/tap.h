#pragma once

#include <atomic>

#include "cache/attention.h"
#include "cache/hosted_format.h"

namespace kvsplit {

/// Sees what caches are given, before anything is lost of it: what calibration learns from. Called
/// on one thread, in the order of the graph. Nothing may be thrown.
class Tap {
 public:
  virtual ~Tap() = default;
  virtual void rows(const NominalRows& cache, const WriteCall& call) = 0;
  virtual void attention(const NominalRows& keys, const AttentionCall& call) = 0;
};

/// The process's tap, which nothing but a calibration sets.
inline std::atomic<Tap*>& tap() {
  static std::atomic<Tap*> the_tap{nullptr};
  return the_tap;
}

}  // namespace kvsplit
