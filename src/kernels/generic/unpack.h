// Unpacking a block's bit planes (kernels/bit_planes.h) into 256 codes in bytes, the same for keys
// and values. Per 64 codes a plane costs a load, a shift and a mask; a plane of single bits four
// operations.

template <int bits, int quarter>
inline Bytes unpack_quarter(const std::uint8_t* block) {
  constexpr int offset_2 = (bits & 4) * 32;
  constexpr int offset_1 = offset_2 + (bits & 2) * 32;
  Bytes codes{};
  if constexpr ((bits & 4) != 0) {
    codes = field<4 * (quarter % 2), 4>(load_bytes(block + (quarter / 2) * 64));
  }
  if constexpr ((bits & 2) != 0) {
    codes = codes | shift_left<bits & 4>(field<2 * quarter, 2>(load_bytes(block + offset_2)));
  }
  if constexpr ((bits & 1) != 0) {
    codes = codes | expand_bits<quarter, 1 << (bits & 6)>(block + offset_1);
  }
  return codes;
}

template <int bits>
void unpack_blocks(const std::uint8_t* block, int n_blocks, std::uint8_t* codes) {
  for (int i = 0; i < n_blocks; ++i, block += 32 * bits, codes += 256) {
    store_bytes(codes, unpack_quarter<bits, 0>(block));
    store_bytes(codes + 64, unpack_quarter<bits, 1>(block));
    store_bytes(codes + 128, unpack_quarter<bits, 2>(block));
    store_bytes(codes + 192, unpack_quarter<bits, 3>(block));
  }
}

using UnpackBlocks = void (*)(const std::uint8_t*, int, std::uint8_t*);

constexpr UnpackBlocks unpack_width[8] = {nullptr,          unpack_blocks<1>, unpack_blocks<2>,
                                          unpack_blocks<3>, unpack_blocks<4>, unpack_blocks<5>,
                                          unpack_blocks<6>, unpack_blocks<7>};

// The codes of one tile of a group: where they lie if they are bytes already, else unpacked to
// `room`, which moves on behind them.
inline const std::uint8_t* tile_codes(const GroupTiles& group, std::int64_t tile,
                                      std::uint8_t*& room) {
  const auto* packed = reinterpret_cast<const std::uint8_t*>(group.tiles) +
                       static_cast<std::size_t>(tile) * group.tile_bytes;
  if (group.bits >= 8) return packed;
  unpack_width[group.bits](packed, group.n_blocks, room);
  const std::uint8_t* const codes = room;
  room += group.n_blocks * 256;
  return codes;
}

inline const std::byte* tile_scales(const GroupTiles& group, std::int64_t tile) {
  return group.tiles + static_cast<std::size_t>(tile) * group.tile_bytes +
         static_cast<std::size_t>(group.n_blocks) * 32 * group.bits;
}
