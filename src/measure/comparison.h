#pragma once

#include "measure/cache_set.h"

namespace kvsplit::measure {

/// How a next-token distribution differs from the baseline's at one position.
struct Divergence {
  double log_likelihood = 0;  ///< ln of the probability given to the token that came
  double kl = 0;              ///< KL(baseline ‖ this), in nats; 0 of the baseline itself
  bool same_top = false;      ///< both find the same token most likely
};

/// logits, baseline: [n_vocab] of the same position; `token` is the one that came.
/// Error: they are not numbers.
Divergence compare(std::span<const float> logits, std::span<const float> baseline, int token);

struct ComparisonCall : CacheSet {
  std::span<const host::Token> tokens;  ///< the text
  int window = 2048;                    ///< tokens; the second half of each is scored
  int n_windows = 1;                    ///< cut from the start of the text
  int size_context = 0;                 ///< tokens for which memory is measured; 0 = the window
  int speed_rounds = 0;  ///< repetitions of measuring speed, at the window's depth; 0 = not
};

/// Everything that can be said of the caches on this text: one record each, in their order.
/// A window's first token makes way for BOS where the model wants it, as llama-perplexity has it.
std::vector<CacheRecord> compare_caches(const ComparisonCall& call);

/// Tokens of the scored half are decoded so many at a time: all their logits are held at once.
inline constexpr int scored_at_once = 64;

}  // namespace kvsplit::measure
