#pragma once

#include <span>
#include <vector>

#include "host/cache_choice.h"
#include "host/model.h"
#include "measure/progress.h"
#include "measure/results.h"

namespace kvsplit::measure {

struct ComparisonCall {
  const host::Model* packed = nullptr;  ///< the model on KVSPLIT, for caches of kvsplit; or null
  const host::Model* stock = nullptr;   ///< … and elsewhere, for llama.cpp's own; or null
  std::span<const host::CacheChoice> caches;  ///< the first is the baseline
  std::span<const host::Token> tokens;        ///< the text
  int window = 2048;
  int n_windows = 1;
  int size_context = 0;  ///< tokens for which memory is measured; 0 = the window
  int speed_rounds = 0;  ///< repetitions of measuring speed, at the window's depth; 0 = not
  int n_threads = 1;
  Progress progress;  ///< may be empty
};

/// Everything that can be said of the caches on this text: one record each, in their order.
std::vector<CacheRecord> compare_caches(const ComparisonCall& call);

}  // namespace kvsplit::measure
