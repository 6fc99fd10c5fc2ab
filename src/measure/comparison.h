#pragma once

#include <span>
#include <vector>

#include "measure/cache_set.h"
#include "measure/progress.h"

namespace kvsplit::measure {

struct ComparisonCall : CacheSet {
  std::span<const host::Token> tokens;  ///< the text
  int window = 2048;
  int n_windows = 1;
  int size_context = 0;  ///< tokens for which memory is measured; 0 = the window
  int speed_rounds = 0;  ///< repetitions of measuring speed, at the window's depth; 0 = not
  Progress progress;     ///< may be empty
};

/// Everything that can be said of the caches on this text: one record each, in their order.
std::vector<CacheRecord> compare_caches(const ComparisonCall& call);

}  // namespace kvsplit::measure
