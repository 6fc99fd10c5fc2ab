#pragma once

#include <benchmark/benchmark.h>

#include <string>

#include "codec/row_format.h"
#include "support/models.h"

namespace kvsplit::bench {

/// One half of attention: the kernels with nothing but keys (scores) or nothing but values
/// (weighted sums). The softmax between them is in both, and queries are codes already.
/// Bytes are those of the one tensor. Rows are what a KV head's kernels are asked at once.
void half_attention(benchmark::State& state, const Model& model, Side side, int bits, int n_rows);

/// Lines of all models and widths: one token's rows, and the most that a task has.
void add_half_attention(const std::string& what, Side side);

}  // namespace kvsplit::bench
