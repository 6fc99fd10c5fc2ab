#pragma once

#include <cstdint>

#include "kernels/bit_planes.h"

namespace kvsplit::test {

/// Replaces the code at `index` of a block; its neighbours in the same bytes keep theirs.
// NOLINTNEXTLINE(readability-non-const-parameter): it is written to, in the lambda
inline void put_code(std::uint8_t* block, int bits, int index, unsigned code) {
  for_each_plane(bits, [&](int plane_bits, int offset, int low_bit) {
    const PlacedBits place = place_in_plane(plane_bits, index);
    const unsigned mask = ((1U << plane_bits) - 1U) << place.shift;
    std::uint8_t& byte = block[offset + place.byte];
    byte = static_cast<std::uint8_t>((byte & ~mask) | (((code >> low_bit) << place.shift) & mask));
  });
}

}  // namespace kvsplit::test
