#pragma once

#include <cstddef>
#include <span>

#include "base/half.h"
#include "codec/tile_layout.h"

namespace kvsplit {

/// Where channel c of row t lies in a tile of 16-bit numbers.
template <typename Byte>
Byte* half_at(Byte* tile, Side side, int t, int c) {
  return tile + static_cast<std::size_t>(t / block_rows) * block_bytes(16) +
         half_index(side, t % block_rows, c) * sizeof(Half);
}

/// The 16 channels of row t of such a tile. Stored numbers are finite: attention multiplies by 0
/// what a query does not see, and an infinity or NaN of one sequence would reach the others.
void put_halves(std::byte* tile, Side side, int t, std::span<const float> numbers);
void get_halves(const std::byte* tile, Side side, int t, std::span<float> numbers);

}  // namespace kvsplit
