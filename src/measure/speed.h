#pragma once

#include <memory>
#include <span>
#include <vector>

#include "host/context.h"
#include "measure/progress.h"

namespace kvsplit::measure {

struct Speed {
  double prompt_tps = 0;  ///< tokens per second of a prompt piece, at `depth`
  double decode_tps = 0;  ///< tokens per second one by one, at `depth`
};

struct SpeedCall {
  std::span<const host::Token> tokens;  ///< a text to take tokens from, at least `depth` of them
  int depth = 2048;                     ///< tokens in the cache before a measurement
  int prompt_tokens = 512;              ///< of a prompt piece
  int decode_tokens = 32;               ///< decoded one by one
  int rounds = 3;
  /// A cache that has taken this long is left out of further rounds: slow caches are measured
  /// once, fast ones, which noise disturbs more, in every round.
  double seconds_per_cache = 4;
  Progress progress;  ///< may be empty
};

/// Cells that a context must have for measure_speed().
int cells_for_speed(const SpeedCall& call);

/// Measures the contexts in turn, round after round, so that a machine that slows down slows all of
/// them; each result is the median over its rounds. One result per context.
std::vector<Speed> measure_speed(std::span<const std::unique_ptr<host::Context>> contexts,
                                 const SpeedCall& call);

}  // namespace kvsplit::measure
