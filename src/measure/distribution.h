#pragma once

#include <span>

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

}  // namespace kvsplit::measure
