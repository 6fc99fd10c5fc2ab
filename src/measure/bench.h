#pragma once

#include "measure/speed.h"

namespace kvsplit::measure {

/// Speed at several depths, on random tokens and in batches like those of llama-bench.
struct BenchCall : CacheSet {
  std::span<const int> depths;  ///< rising
  SpeedCall speed;              ///< all but its tokens, depth and progress
};

/// A record per depth and cache: all caches of the first depth, then those of the next. Ratios are
/// to the first cache at the same depth.
std::vector<CacheRecord> bench_caches(const BenchCall& call);

}  // namespace kvsplit::measure
