#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "codec/row_format.h"
#include "kernels/bit_planes.h"

// Where the bits of a packed tensor lie. Rows (tokens) are packed in tiles of 16; each group of
// channels keeps all its tiles one after the other, so that attention over a head streams through
// memory whatever the number of heads:
//
//   tensor  [ group 0: tile 0, tile 1, … | group 1: tile 0, … | … ]
//   tile    [ block 0 | block 1 | … | 16 scales, f16 ]      a block: 16 channels of 16 rows
//
// A block's codes lie in bit planes (kernels/bit_planes.h). A block of 16-bit numbers holds them as
// f16, [channel][row] for keys and [row][channel] for values, and its tile has no scales.
// Streams start at tile borders: row = stream · kv_size + cell lies in tile
// stream · tiles_per_stream + cell / 16, at row cell % 16.
namespace kvsplit {

/// One group's place in the tensor and in a saved row.
struct GroupLayout {
  int first_channel = 0;
  int n_channels = 0;
  int bits = 0;
  std::size_t offset = 0;      ///< of its first tile, bytes
  std::size_t tile_bytes = 0;  ///< from tile to tile
  std::size_t raw_offset = 0;  ///< in a saved row (packed_tensor.h)

  int n_blocks() const { return n_channels / block_channels; }
  bool coded() const { return bits != 16; }
  std::size_t scales_offset() const {
    return static_cast<std::size_t>(n_blocks()) * block_bytes(bits);
  }
  std::size_t raw_code_bytes() const { return static_cast<std::size_t>(n_channels) * bits / 8; }
};

struct TileLayout {
  std::vector<GroupLayout> groups;
  std::size_t bytes = 0;          ///< of the whole tensor
  std::size_t raw_row_bytes = 0;  ///< of a saved row
};

/// The layout of n_tiles tiles of rows of this format.
TileLayout tile_layout(const RowFormat& format, std::int64_t n_tiles);

/// Where in a tile the number of row `t`, channel `c` of a 16-bit block is (in numbers).
constexpr int half_index(Side side, int t, int c) {
  return side == Side::key ? c * tile_rows + t : t * block_channels + c;
}

constexpr int code_index(Side side, int t, int c) {
  return side == Side::key ? key_index(t, c) : value_index(t, c);
}

}  // namespace kvsplit
