#pragma once

#include <span>

#include "codec/row_format.h"

// Turning a head before it is encoded spreads outlier channels over all of them, and costs nothing
// at read time but the same turn of the query: (Hk)·(Hq) = k·q for orthogonal H (QuaRot,
// arXiv 2404.00456). The Hadamard transform here is orthonormal and its own inverse; heads that are
// no power of two are turned in blocks of the largest power of two that divides them.
namespace kvsplit {

/// Turns one head in place, into the space in which rows are encoded.
void transform_head(TransformKind kind, std::span<float> head);

/// Back again. For queries use transform_head (the transpose of the inverse of an orthogonal map is
/// the map itself).
void inverse_transform_head(TransformKind kind, std::span<float> head);

}  // namespace kvsplit
