#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "cache/packed_tensor.h"
#include "kernels/attend.h"

namespace kvsplit {

/// Keys as they are packed, or those rows that are in 8 bits besides.
enum class KeyForm : std::uint8_t { packed, exact };

/// Query rows of one KV head, made ready for the kernels in one thread's memory.
struct QueryScratch {
  alignas(64) std::array<std::int8_t, max_query_rows * max_query_channels> codes;
  alignas(64) std::array<std::int8_t, max_query_rows * max_query_channels> low_codes;
  /// Scaled and turned by the keys' transform, not by a plan; the caller's to fill.
  alignas(64) std::array<float, max_query_rows * max_query_channels> numbers;
  alignas(64) std::array<float, max_query_rows * max_query_channels> mapped;  ///< by the plan, too
  std::array<float, max_query_rows * max_head_groups> scales;
  std::array<float, max_query_rows * max_head_groups> offsets;
  std::array<float, max_query_rows> lacking;
  std::optional<KeyForm> encoded;  ///< what the codes are for; none: not yet

  float* row(int row) { return numbers.data() + row * max_query_channels; }
  QueryRows rows(int n_rows, std::size_t n_fine) const {
    return {n_rows,         codes.data(),     numbers.data(), scales.data(),
            offsets.data(), low_codes.data(), n_fine};
  }
};

using HeadTiles = std::array<GroupTiles, max_head_groups>;

GroupTiles packed_tiles(const PackedTensor& tensor, const GroupLayout& group, std::int64_t stream);

/// The packed tiles of a head in the order in which queries meet them. With frames the first is
/// that of the place in a frame; from which tile on it counts is the caller's to say.
std::span<const GroupTiles> key_tiles(const PackedTensor& keys, int head, std::int64_t stream,
                                      HeadTiles& room);

/// How many of those, the first, meet 16 bits of a query.
std::size_t n_fine_groups(const PackedTensor& keys, int head, KeyForm form);

/// The turn of the frame that a cell is in; without frames anything.
Turn frame_turn(const PackedTensor& keys, int head, CellPlace cell);

/// Maps the first rows for the keys of a frame, of which `turn` is the turn; formats without frames
/// do not look at it. What a row's products with those keys lack goes to `lacking`.
void map_queries(const PackedTensor& keys, int head, const Turn& turn, int n_rows,
                 QueryScratch& scratch);
/// Makes codes of mapped rows, unless they are there.
void encode_queries(const PackedTensor& keys, int head, KeyForm form, int n_rows,
                    QueryScratch& scratch);

}  // namespace kvsplit
