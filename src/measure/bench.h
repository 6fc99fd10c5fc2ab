#pragma once

#include "measure/cache_set.h"
#include "measure/progress.h"

namespace kvsplit::measure {

/// Speed at several depths, on random tokens and in batches like those of llama-bench.
struct BenchCall : CacheSet {
  std::span<const int> depths;  ///< rising
  int prompt_tokens = 512;      ///< 0 = not measured
  int decode_tokens = 32;       ///< 0 = not measured
  int rounds = 3;
  Progress progress;  ///< may be empty
};

/// A record per depth and cache: all caches of the first depth, then those of the next. Ratios are
/// to the first cache at the same depth.
std::vector<CacheRecord> bench_caches(const BenchCall& call);

}  // namespace kvsplit::measure
