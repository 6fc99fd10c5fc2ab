#pragma once

#include <span>

namespace kvsplit::measure {

/// Tokens per second, measured in several rounds.
struct Rate {
  double median = 0;  ///< of an even number of rounds the mean of the middle two
  double min = 0, max = 0;
  double ratio = 1;  ///< median of the rounds' ratios: what slows down a whole round cancels out
};

/// `rounds` and `baseline`: what was measured in round 0, 1, … of each, at least one. Rounds that
/// only one of them has do not count for the ratio.
Rate rate(std::span<const double> rounds, std::span<const double> baseline);

}  // namespace kvsplit::measure
