// Unpacking a block's bit planes (kernels/bit_planes.h) into codes in bytes, the same for keys and
// for values. Per 64 codes a plane costs a load, a shift and a mask; a plane of single bits four
// operations.

constexpr int lanes = 16;  // rows of a block, channels of a group
constexpr int step_blocks = cells_per_step / block_rows;
constexpr int few_rows = 4;  // query rows whose keys and values are not unpacked to memory

template <int bits, int quarter>
inline Bytes unpack_quarter(const std::uint8_t* block) {
  if constexpr (bits == 8) {
    return load(block + quarter * 64);
  } else {
    constexpr int offset_2 = (bits & 4) * 32;
    constexpr int offset_1 = offset_2 + (bits & 2) * 32;
    Bytes codes{};
    if constexpr ((bits & 4) != 0) {
      codes = field<4 * (quarter % 2), 4>(load(block + (quarter / 2) * 64));
    }
    if constexpr ((bits & 2) != 0) {
      codes = codes | shift_left<bits & 4>(field<2 * quarter, 2>(load(block + offset_2)));
    }
    if constexpr ((bits & 1) != 0) {
      codes = codes | expand_bits<quarter, 1 << (bits & 6)>(block + offset_1);
    }
    return codes;
  }
}

inline const std::uint8_t* tile_blocks_of(const GroupTiles& group, std::int64_t tile) {
  return reinterpret_cast<const std::uint8_t*>(group.tiles) +
         static_cast<std::size_t>(tile - group.first_tile) * group.tile_stride;
}

// Scale codes of a tile's rows; `room` takes those that are made of short ones.
inline const std::uint8_t* tile_scales(const GroupTiles& group, std::int64_t tile,
                                       std::uint8_t (&room)[cells_per_step]) {
  const std::uint8_t* const scales =
      tile_blocks_of(group, tile) + static_cast<std::size_t>(group.bits) * 32 * group.n_blocks;
  if (group.short_scale_base < 0) return scales;
  const auto base = static_cast<std::uint8_t>(group.short_scale_base);
  for (int i = 0; i < cells_per_step / 2; ++i) {
    room[i] = static_cast<std::uint8_t>(base + short_scale_step * (scales[i] & 15));
    room[i + cells_per_step / 2] =
        static_cast<std::uint8_t>(base + short_scale_step * (scales[i] >> 4));
  }
  return room;
}
