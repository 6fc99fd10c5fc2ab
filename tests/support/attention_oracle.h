#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "cache/attention.h"
#include "cache/packed_tensor.h"

// Attention in double precision, written from the formula (cache/attention.h) and nothing else: one
// query, one cell after the other, over rows as PackedTensor::read gives them back.
namespace kvsplit::oracle {

/// [n_streams, n_tokens, n_heads, head_dim_v], as AttentionCall::out.
/// `round_queries`: queries are first rounded to the 8-bit codes that the kernels use for packed
/// keys, so that what is left between oracle and kernel is arithmetic alone.
std::vector<double> attend(const PackedTensor& k, const PackedTensor& v, const AttentionCall& call,
                           bool round_queries);

}  // namespace kvsplit::oracle
