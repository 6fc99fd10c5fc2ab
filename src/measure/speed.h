#pragma once

#include "measure/cache_set.h"

namespace kvsplit::measure {

/// Tokens per second at a depth, a number per round; empty where they were not asked for.
struct Speed {
  std::vector<double> prompt;  ///< tokens of a prompt piece
  std::vector<double> decode;  ///< tokens one by one
  double seconds = 0;          ///< that measuring took
};

struct SpeedCall {
  std::span<const host::Token> tokens;  ///< to decode, from the start on and as often as needed
  int depth = 2048;                     ///< tokens in the cache before a measurement
  int prompt_tokens = 512;              ///< of a prompt piece; 0 = not measured
  int decode_tokens = 32;               ///< decoded one by one; 0 = not measured
  int rounds = 3;
  /// A cache that has taken this long is left out of further rounds: slow caches are measured
  /// once, fast ones, which noise disturbs more, in every round. 0 = none is left out.
  double seconds_per_cache = 0;
  Progress progress = no_progress;
  std::string what = "speed";  ///< for progress
};

/// Cells that a context must have for measure_speed().
int cells_for_speed(const SpeedCall& call);

/// Measures the contexts in turn, round after round and each round beginning with another one, so
/// that what slows down the machine slows down all of them. One result per context. What a context
/// holds before is kept as far as the depth goes.
std::vector<Speed> measure_speed(const Contexts& contexts, const SpeedCall& call);

/// Writes them into the records, one for each; the first is the baseline of ratios.
void add_speeds(const SpeedCall& call, std::span<const Speed> speeds,
                std::span<CacheRecord> records);

/// `rounds` and `baseline`: what was measured in round 0, 1, … of each, at least one. Rounds that
/// only one of them has do not count for the ratio.
Rate rate(std::span<const double> rounds, std::span<const double> baseline);

/// Speed at several depths, on random tokens and in batches like those of llama-bench.
struct BenchCall : CacheSet {
  std::span<const int> depths;  ///< rising
  SpeedCall speed;              ///< all but its tokens, depth and progress
};

/// A record per depth and cache: all caches of the first depth, then those of the next. Ratios are
/// to the first cache at the same depth.
std::vector<CacheRecord> bench_caches(const BenchCall& call);

}  // namespace kvsplit::measure
