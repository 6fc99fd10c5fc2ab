#pragma once

#include <array>
#include <span>

#include "codec/row_format.h"
#include "kernels/attend.h"

// Heads are encoded in a space of their own. Without a plan that is a Hadamard transform, which
// spreads outlier channels over all of them and costs nothing at read time but the same turn of the
// query: (Hk)·(Hq) = k·q for orthogonal H (QuaRot, arXiv 2404.00456). It is orthonormal and its own
// inverse; heads that are no power of two are turned in blocks of the largest power of two that
// divides them. With a plan it is a map calibrated for each head (codec/head_map.h), and rows have
// a place in a frame, which only formats with frames look at.
namespace kvsplit {

/// The transform of formats without a plan, its own inverse.
void transform_head(TransformKind kind, std::span<float> head);

/// Brings a head, in place, into the space in which its rows are encoded; `position`: that of its
/// frame.
void into_space(const RowFormat& format, int head, std::int32_t position, std::span<float> numbers);
/// Back again.
void out_of_space(const RowFormat& format, int head, std::int32_t position,
                  std::span<float> numbers);
/// The same for values, which know no frames: a row, or a sum of rows whose weights add up to 1.
void value_out_of_space(const RowFormat& format, int head, std::span<float> numbers);
/// In that space, with frames: adds `sign` times what is known of the cell in a frame.
void add_place(const RowFormat& format, int head, std::int32_t cell, float sign,
               std::span<float> numbers);

inline constexpr int queries_at_once = 4;
using FewQueries = std::array<float, queries_at_once * max_query_channels>;

/// Up to four queries for keys in that space: with frames first 16 numbers for places, then those
/// of all groups, n_out in all; `frame`: the turn of the keys' frame. What a query's products with
/// them lack goes to `lacking`. Formats without a plan take queries as they are.
void queries_into_space(const RowFormat& format, int head, const Turn& frame, QueryMap map,
                        float* lacking);

}  // namespace kvsplit
