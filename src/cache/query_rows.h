#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "cache/packed_tensor.h"
#include "kernels/attend.h"

namespace kvsplit {

/// Query rows of one KV head, made ready for the kernels in one thread's memory.
struct QueryScratch {
  alignas(64) std::array<std::int8_t, max_query_rows * max_query_channels> codes;
  /// As they come, scaled; the caller's to fill.
  alignas(64) std::array<float, max_query_rows * max_query_channels> numbers;
  std::array<float, max_query_rows * max_head_groups> scales;
  std::array<float, max_query_rows * max_head_groups> offsets;
  std::array<float, max_query_rows> lacking;

  float* row(int row) { return numbers.data() + row * max_query_channels; }
  /// The row meets all keys with 0.
  void blank(int row) {
    std::fill_n(scales.data() + row * max_head_groups, max_head_groups, 0.0F);
    std::fill_n(offsets.data() + row * max_head_groups, max_head_groups, 0.0F);
    lacking[row] = 0;
  }
  QueryRows rows(int n_rows) const {
    return {n_rows, codes.data(), numbers.data(), scales.data(), offsets.data()};
  }
};

using HeadTiles = std::array<GroupTiles, max_head_groups>;

GroupTiles packed_tiles(const PackedTensor& tensor, const GroupLayout& group, std::int64_t stream);

/// The tiles of a head in the order in which queries meet them. With frames the first two are those
/// of the place in a frame; from which tile on they count is the caller's to say.
std::span<const GroupTiles> key_tiles(const PackedTensor& keys, int head, std::int64_t stream,
                                      HeadTiles& room);

/// Encodes one row for the keys of a frame, of which `turn` is the turn; formats without frames do
/// not look at it. What its products with those keys lack goes to `lacking`.
void encode_query(const PackedTensor& keys, int head, const Turn& turn, int row,
                  QueryScratch& scratch);
/// The same for exact keys, all of whose groups are met twice where there is room for that: where
/// they are as they came (Qwen 2.5 has biases of a hundred), 8 bits of a query are too few.
std::span<const GroupTiles> exact_key_tiles(const PackedTensor& keys, int head, std::int64_t stream,
                                            HeadTiles& room);
void encode_query_for_exact(const PackedTensor& keys, int row, QueryScratch& scratch);

}  // namespace kvsplit
