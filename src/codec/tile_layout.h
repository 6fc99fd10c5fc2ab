#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "codec/row_format.h"
#include "kernels/bit_planes.h"

// Where the bits of a packed tensor lie. Rows (tokens) are packed in tiles of 64. Four groups of 16
// channels, a strand, keep their tiles one after the other, so that attention over a head streams
// through memory, in as few places at once as can be had while the size of heads is not known:
//
//   tensor  [ strand 0 | strand 1 | … ]                                   64 channels each
//   strand  [ tile 0 of its groups | tile 1 of its groups | … ]
//   tile    [ block 0 | block 1 | block 2 | block 3 | 64 scales of one byte, or of half a byte ]
//   block   16 channels of 16 rows
//
// A block's codes lie in bit planes (kernels/bit_planes.h), scales are as in kernels/scale_code.h.
// A block of 16-bit numbers holds them as f16, [channel][row] for keys and [row][channel] for
// values, and its tile has no scales. Tiles are whole cache lines of 64 bytes, with short scales
// halves of lines. Streams start at
// tile borders: row = stream · kv_size + cell lies in tile stream · tiles_per_stream + cell / 64,
// at row cell % 64.
namespace kvsplit {

/// One group's place in the tensor and in a saved row.
struct GroupLayout {
  int first_channel = 0;
  int bits = 0;
  std::size_t offset = 0;                 ///< of its first tile, bytes
  std::size_t tile_bytes = 0;             ///< of a tile
  std::size_t tile_stride = 0;            ///< from tile to tile
  std::size_t raw_offset = 0;             ///< in a saved row (packed_tensor.h)
  int short_scale_base = -1;              ///< kernels/scale_code.h; -1: scale codes are whole
  int n_blocks = tile_rows / block_rows;  ///< of a tile

  constexpr bool coded() const { return bits != 0 && bits != 16; }
  std::size_t number() const { return static_cast<std::size_t>(first_channel / group_channels); }
  constexpr std::size_t scales_offset() const { return n_blocks * block_bytes(bits); }
  constexpr std::size_t scale_bytes() const {
    const auto rows = static_cast<std::size_t>(n_blocks) * block_rows;
    return !coded() ? 0 : short_scale_base < 0 ? rows : rows / 2;
  }
  constexpr std::size_t raw_code_bytes() const { return group_channels * bits / 8; }
  constexpr std::size_t raw_bytes() const { return raw_code_bytes() + (coded() ? 1 : 0); }
};

inline constexpr int strand_groups = 4;

/// Numbers of places in a frame (codec/head_map.h) are keys of 8 bits in tiles of their own.
inline constexpr GroupLayout place_group{.bits = 8};
inline constexpr std::size_t place_tile_bytes =
    place_group.scales_offset() + place_group.scale_bytes();

/// Exact rows (cache/exact_rows.h) are codes of 8 bits; in a saved row a mark says where it was.
inline constexpr GroupLayout exact_group{.bits = 8, .tile_bytes = place_tile_bytes};
inline constexpr std::size_t exact_mark_bytes = 5;

struct TileLayout {
  std::vector<GroupLayout> groups;
  std::size_t bytes = 0;             ///< of the whole tensor
  std::size_t exact_raw_offset = 0;  ///< in a saved row: what it is as an exact one
  std::size_t raw_row_bytes = 0;     ///< of a saved row, its place in a frame included
};

/// The layout of n_tiles tiles of rows of this format.
TileLayout tile_layout(const RowFormat& format, std::int64_t n_tiles);

/// Where in a block the number of row `t`, channel `c` of 16 bits is (in numbers).
constexpr int half_index(Side side, int t, int c) {
  return side == Side::key ? c * block_rows + t : t * group_channels + c;
}

constexpr int code_index(Side side, int t, int c) {
  return side == Side::key ? key_index(t, c) : value_index(t, c);
}

}  // namespace kvsplit
