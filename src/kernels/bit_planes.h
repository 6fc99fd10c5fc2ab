#pragma once

#include <cstddef>
#include <cstdint>

/// The bits of one block: 256 codes (16 rows × 16 channels) of 1 … 8 bits in 32 · bits bytes.
///
/// The 256 codes have an order, `index`; four quarters of 64. Keys and values order them as their
/// products want them (t: row in the tile, c: channel in the block):
///   keys    index = (c / 4) · 64 + t · 4 + c % 4
///           a quarter: 4 channels of all 16 rows, so that one 4-way product scores 16 rows at once
///   values  index = (t / 4) · 64 + (c / 4) · 16 + (t / 2 % 2) · 8 + (c % 4) · 2 + t % 2
///           a quarter: 4 rows of all 16 channels, in pairs for 2-way products. Of every 16 bytes
///           the first eight belong to one pair of rows, the last eight to the other: widened to 16
///           bits by interleaving, each pair comes out in channel order.
/// A code is cut into planes of 8, 4, 2 and 1 bits, low bits first, as its width wants:
///   8 = 8   7 = 4+2+1   6 = 4+2   5 = 4+1   4 = 4   3 = 2+1   2 = 2   1 = 1
/// The planes follow one another. With d = index / 64 and i = index % 64, a code's part lies in
///   plane of 8 bits, 256 bytes: byte index
///   plane of 4 bits, 128 bytes: byte (d / 2) · 64 + i, bits 4 · (d % 2) and up
///   plane of 2 bits,  64 bytes: byte i, bits 2 · d and up
///   plane of 1 bit,   32 bytes: byte (i / 4) · 2 + d / 2, bit 4 · (d % 2) + i % 4
/// so that unpacking a quarter is a load, a shift and a mask, the same for keys and for values.
namespace kvsplit {

inline constexpr int block_rows = 16;

constexpr std::size_t block_bytes(int bits) { return bits == 16 ? 512 : std::size_t{32} * bits; }

/// Position of row t, channel c among a block's codes.
constexpr int key_index(int t, int c) { return (c / 4) * 64 + t * 4 + c % 4; }
constexpr int value_index(int t, int c) {
  return (t / 4) * 64 + (c / 4) * 16 + (t / 2 % 2) * 8 + (c % 4) * 2 + t % 2;
}

/// Where a plane keeps the part of one code: a byte and the lowest bit in it.
struct PlacedBits {
  int byte;
  int shift;
};

constexpr PlacedBits place_in_plane(int plane_bits, int index) {
  const int d = index / 64;
  const int i = index % 64;
  if (plane_bits == 1) return {(i / 4) * 2 + d / 2, 4 * (d % 2) + i % 4};
  const int n_sharing = 8 / plane_bits;  // quarters, a byte
  return {(d / n_sharing) * 64 + i, plane_bits * (d % n_sharing)};
}

/// Calls visit(plane_bits, first byte of the plane, lowest bit of the code in it), plane by plane.
template <typename Visit>
constexpr void for_each_plane(int bits, Visit visit) {
  int offset = 0;
  int low_bit = 0;
  for (int plane_bits = 8; plane_bits > 0; plane_bits /= 2) {
    if ((bits & plane_bits) == 0) continue;
    visit(plane_bits, offset, low_bit);
    offset += 32 * plane_bits;
    low_bit += plane_bits;
  }
}

/// Replaces the codes of row t of a block of keys, 16 channels: no byte is shared with another row.
inline void put_key_row(std::uint8_t* block, int bits, int t, const std::uint16_t* codes) {
  for_each_plane(bits, [&](int plane_bits, int offset, int low_bit) {
    const unsigned mask = (1U << plane_bits) - 1U;
    const auto part = [&](int c) { return (codes[c] >> low_bit) & mask; };
    std::uint8_t* const plane = block + offset;
    for (int j = 0; j < 4; ++j) {
      switch (plane_bits) {
        case 8:
          for (int d = 0; d < 4; ++d) plane[d * 64 + t * 4 + j] = part(d * 4 + j);
          break;
        case 4:
          plane[t * 4 + j] = static_cast<std::uint8_t>(part(j) | part(4 + j) << 4U);
          plane[64 + t * 4 + j] = static_cast<std::uint8_t>(part(8 + j) | part(12 + j) << 4U);
          break;
        case 2:
          plane[t * 4 + j] = static_cast<std::uint8_t>(part(j) | part(4 + j) << 2U |
                                                       part(8 + j) << 4U | part(12 + j) << 6U);
          break;
        default:
          if (j < 2) {
            unsigned byte = 0;
            for (int c = 0; c < 8; ++c) byte |= part(j * 8 + c) << static_cast<unsigned>(c);
            plane[t * 2 + j] = static_cast<std::uint8_t>(byte);
          }
      }
    }
  });
}

/// Replaces the codes of row t of a block of values, 16 channels. Rows share bytes, at one place
/// for all channels but in planes of single bits; the other rows' codes stay.
inline void put_value_row(std::uint8_t* block, int bits, int t, const std::uint16_t* codes) {
  for_each_plane(bits, [&](int plane_bits, int offset, int low_bit) {
    if (plane_bits == 1) {
      for (int c = 0; c < 16; ++c) {
        const PlacedBits place = place_in_plane(1, value_index(t, c));
        std::uint8_t& byte = block[offset + place.byte];
        const unsigned bit = (codes[c] >> low_bit) & 1U;
        byte = static_cast<std::uint8_t>((byte & ~(1U << place.shift)) | bit << place.shift);
      }
      return;
    }
    const PlacedBits first = place_in_plane(plane_bits, value_index(t, 0));
    const unsigned mask = (1U << plane_bits) - 1U;
    std::uint8_t* const bytes = block + offset + first.byte;
    for (int c = 0; c < 16; ++c) {
      const unsigned part = (codes[c] >> low_bit) & mask;
      std::uint8_t& byte = bytes[c / 4 * 16 + c % 4 * 2];
      byte = static_cast<std::uint8_t>((byte & ~(mask << first.shift)) | part << first.shift);
    }
  });
}

inline unsigned get_code(const std::uint8_t* block, int bits, int index) {
  unsigned code = 0;
  for_each_plane(bits, [&](int plane_bits, int offset, int low_bit) {
    const PlacedBits place = place_in_plane(plane_bits, index);
    const unsigned part = (block[offset + place.byte] >> place.shift) & ((1U << plane_bits) - 1U);
    code |= part << low_bit;
  });
  return code;
}

}  // namespace kvsplit
