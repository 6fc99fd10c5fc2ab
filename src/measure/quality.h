#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "host/context.h"
#include "measure/progress.h"

namespace kvsplit::measure {

/// What a cache does to a model's predictions.
struct Quality {
  double ppl = 0;
  double kl_mean = 0, kl_stderr = 0;  ///< KL(baseline ‖ cache) per scored token, in nats
  double same_top_percent = 0;        ///< tokens that both find most likely
  std::int64_t scored_tokens = 0;
};

struct QualityCall {
  std::span<const host::Token> tokens;  ///< the text, cut into windows from its start
  int window = 2048;                    ///< tokens; the second half of each is scored
  int n_windows = 1;
  host::Token bos = 0;           ///< put in place of each window's first token …
  bool starts_with_bos = false;  ///< … where the model wants it, as llama-perplexity does
  int n_threads = 1;
  Progress progress;  ///< may be empty
};

/// Windows of `window` tokens that a text of `n_tokens` has.
int windows_in(std::size_t n_tokens, int window);

/// Decodes the same windows in all contexts, piece by piece, and compares each piece's predictions
/// with those of the first context, the baseline, at once: nothing grows with the text. One result
/// per context. Afterwards each context holds the last window.
std::vector<Quality> measure_quality(std::span<const std::unique_ptr<host::Context>> contexts,
                                     const QualityCall& call);

/// Most rows of logits that a piece should have: their memory is bounded whatever the vocabulary.
int piece_tokens(int n_vocab);

}  // namespace kvsplit::measure
