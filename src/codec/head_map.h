#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codec/rotation.h"

namespace kvsplit {

inline constexpr int n_place_numbers = 16;  ///< what describes a place in a frame

/// What a plan's file says of the space in which the rows of one head are encoded:
///
///   z = T · (R(−p) · x − mean) − B · place[c]
///
/// with R(p) the host's rotation by the position p of the frame that the row is in. Keys have a
/// mean before they are rotated; what is left of it in a frame turns with the cell c in the frame,
/// and B · place[c] is the best that 16 numbers can say of it. Each matrix lies as it is
/// multiplied: row i is what number i of the input adds to the output.
struct PlannedHead {
  std::vector<float> into;         ///< Tᵀ, [head_dim, head_dim]
  std::vector<float> mean;         ///< [head_dim]
  std::vector<float> variance;     ///< [head_dim / 16] of the numbers of each group, falling
  std::vector<float> base;         ///< keys with frames: [head_dim] mean before they are rotated
  std::vector<float> place_basis;  ///< Bᵀ, [16, head_dim]
};

/// The same, ready for use.
struct HeadMap : PlannedHead {
  std::vector<float> back;  ///< (T^-1)ᵀ
  /// What queries are multiplied by, as q·x = (T^-ᵀ q)·(z + B·place) + q·mean: T^-1, with frames
  /// [head_dim, 16 + head_dim], first T^-1 · B.
  std::vector<float> query;
  /// [head_dim / 16] where the short scale codes of each group begin (kernels/scale_code.h).
  std::vector<int> scale_bases;

  std::vector<float> places;           ///< [frame_cells, 16], as the tiles have them
  std::vector<std::byte> place_tiles;  ///< the same as tiles of keys in 8 bits

  std::span<const float> place(std::int32_t cell) const {
    return {places.data() + cell * n_place_numbers, n_place_numbers};
  }
};

/// What a row in a frame was encoded for: the frame's position, and the cell in it.
struct PlaceInFrame {
  std::int32_t position = 0, cell = 0;
  bool operator==(const PlaceInFrame&) const = default;
};

/// Of all heads of a row. Made from a plan's file (cache/plan.h).
///
/// Keys are rotated by their positions, and what slowly turning planes hold at one place of a long
/// text they do not hold at another. So a key is turned back by the position of its frame, which
/// some hundred cells in a row share: whatever the position, the same statistics. For attention a
/// query is turned back as well, once per frame. Any position gives the right products, as both
/// sides are turned alike; that of the frame's first row gives small errors.
struct HeadMaps {
  int head_dim = 0;
  int frame_cells = 0;    ///< a multiple of a tile's rows; 0: rows are not turned back
  bool windowed = false;  ///< the layer sees a sliding window only
  Rotation rotation;
  std::vector<HeadMap> heads;
  std::uint64_t fingerprint = 0;  ///< of the file

  int scale_base(std::size_t group) const {
    const std::size_t n = static_cast<std::size_t>(head_dim) / 16;
    return heads[group / n].scale_bases[group % n];
  }
};

}  // namespace kvsplit
