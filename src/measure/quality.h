#pragma once

#include "measure/comparison.h"

namespace kvsplit::measure {

/// Decodes the same windows in all contexts, piece by piece, and compares each piece's predictions
/// with those of the first context, the baseline, at once: nothing grows with the text. Writes what
/// a cache does to them into the records, one for each context. A window's first token makes way
/// for BOS where the model wants it, as llama-perplexity has it. Afterwards each context holds the
/// last window.
void add_quality(const ComparisonCall& call, const Contexts& contexts,
                 std::span<CacheRecord> records);

/// Most rows of logits that a piece should have: their memory is bounded whatever the vocabulary.
int piece_tokens(int n_vocab);

}  // namespace kvsplit::measure
