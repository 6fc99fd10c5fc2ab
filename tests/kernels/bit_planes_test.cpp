#include "kernels/bit_planes.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "support/put_code.h"

namespace kvsplit {
namespace {

constexpr int block_codes = 256;

using test::put_code;

using Block = std::array<std::uint8_t, 256>;

struct Order {
  const char* name;
  int (*index)(int t, int c);
};

constexpr std::array orders{Order{"keys", key_index}, Order{"values", value_index}};

std::array<std::uint8_t, block_codes> random_codes(int bits, unsigned seed) {
  std::mt19937 random(seed);
  std::array<std::uint8_t, block_codes> codes{};
  for (auto& code : codes) code = static_cast<std::uint8_t>(random() & ((1U << bits) - 1));
  return codes;
}

TEST(BitPlanes, EveryRowAndChannelHasAnIndexOfItsOwn) {
  for (const Order& order : orders) {
    std::set<int> indices;
    for (int t = 0; t < 16; ++t) {
      for (int c = 0; c < 16; ++c) indices.insert(order.index(t, c));
    }
    EXPECT_EQ(indices.size(), 256U) << order.name;
    EXPECT_EQ(*indices.begin(), 0) << order.name;
    EXPECT_EQ(*indices.rbegin(), 255) << order.name;
  }
}

// What the products need: four channels of a key side by side, all 16 rows of them in 64 bytes; two
// rows of a value side by side, four rows in 64 bytes.
TEST(BitPlanes, NeighboursInAProductAreNeighboursInABlock) {
  for (int t = 0; t < 16; ++t) {
    for (int c = 0; c < 16; ++c) {
      EXPECT_EQ(key_index(t, c), key_index(t, c / 4 * 4) + c % 4);
      EXPECT_EQ(key_index(t, c) / 64, c / 4);
      EXPECT_EQ(value_index(t, c), value_index(t / 2 * 2, c) + t % 2);
      EXPECT_EQ(value_index(t, c) / 64, t / 4);
      // in every 16 bytes eight of the first two rows, then eight of the others
      EXPECT_EQ(value_index(t, c) % 16 / 8, t / 2 % 2);
      EXPECT_EQ(value_index(t, c) % 64 / 16, c / 4);
    }
  }
}

TEST(BitPlanes, APlaceInAPlaneBelongsToOneCode) {
  for (const int plane_bits : {1, 2, 4, 8}) {
    std::set<std::pair<int, int>> places;
    for (int index = 0; index < block_codes; ++index) {
      const PlacedBits place = place_in_plane(plane_bits, index);
      ASSERT_LT(place.byte, 32 * plane_bits);
      ASSERT_EQ(place.shift % plane_bits, 0);
      ASSERT_LE(place.shift + plane_bits, 8);
      places.emplace(place.byte, place.shift);
    }
    // 256 places of plane_bits in 32 · plane_bits bytes: none is free, none is taken twice.
    EXPECT_EQ(places.size(), static_cast<std::size_t>(block_codes)) << plane_bits;
  }
}

TEST(BitPlanes, PlanesCoverAWidthAndFillItsBytes) {
  for (int bits = 1; bits <= 8; ++bits) {
    int next_bit = 0;
    int next_byte = 0;
    for_each_plane(bits, [&](int plane_bits, int offset, int low_bit) {
      EXPECT_EQ(low_bit, next_bit);
      EXPECT_EQ(offset, next_byte);
      next_bit += plane_bits;
      next_byte += 32 * plane_bits;
    });
    EXPECT_EQ(next_bit, bits);
    EXPECT_EQ(static_cast<std::size_t>(next_byte), block_bytes(bits));
  }
}

TEST(BitPlanes, WhatIsPutIsGot) {
  for (int bits = 1; bits <= 8; ++bits) {
    Block block;
    block.fill(0xA5);  // what was there before must not show through
    const auto codes = random_codes(bits, 1);
    for (int i = 0; i < block_codes; ++i) put_code(block.data(), bits, i, codes[i]);
    for (int i = 0; i < block_codes; ++i) {
      ASSERT_EQ(get_code(block.data(), bits, i), codes[i]) << bits << " bits, code " << i;
    }
    for (std::size_t i = block_bytes(bits); i < block.size(); ++i) ASSERT_EQ(block[i], 0xA5);
  }
}

TEST(BitPlanes, NeighboursKeepTheirBits) {
  for (int bits = 1; bits <= 8; ++bits) {
    const auto codes = random_codes(bits, 2);
    for (int changed = 0; changed < block_codes; ++changed) {
      Block block{};
      for (int i = 0; i < block_codes; ++i) put_code(block.data(), bits, i, codes[i]);
      put_code(block.data(), bits, changed, ~unsigned{codes[changed]});
      for (int i = 0; i < block_codes; ++i) {
        const unsigned mask = (1U << bits) - 1;
        const unsigned expected = i == changed ? ~unsigned{codes[i]} & mask : codes[i];
        ASSERT_EQ(get_code(block.data(), bits, i), expected) << bits << " bits, code " << i;
      }
    }
  }
}

using PutRow = void (*)(std::uint8_t*, int, int, const std::uint16_t*);

TEST(BitPlanes, AWholeRowIsPutLikeItsCodes) {
  constexpr std::array put_row{PutRow{put_key_row}, PutRow{put_value_row}};
  for (std::size_t side = 0; side < orders.size(); ++side) {
    for (int bits = 1; bits <= 8; ++bits) {
      const auto before = random_codes(8, 3);
      const auto codes = random_codes(bits, 4);
      for (int t = 0; t < 16; ++t) {
        Block by_code = before;
        Block by_row = before;
        for (int c = 0; c < 16; ++c) {
          put_code(by_code.data(), bits, orders[side].index(t, c), codes[c]);
        }
        const std::vector<std::uint16_t> wide(codes.begin(), codes.begin() + 16);
        put_row[side](by_row.data(), bits, t, wide.data());
        ASSERT_EQ(by_row, by_code) << orders[side].name << ", " << bits << " bits, row " << t;
      }
    }
  }
}

struct Byte {
  int at;
  int value;
};

struct Drawing {
  int bits, index, code;
  std::vector<Byte> bytes;  // all that are not 0
};

// The drawing of bit_planes.h, one code at a time in a block of zeros. Index 100 is d = 1, i = 36;
// index 201 is d = 3, i = 9.
TEST(BitPlanes, BytesAreAsDrawn) {
  const std::vector<Drawing> drawings{
      // a plane of 8 bits: byte index
      {8, 100, 0xC5, {{100, 0xC5}}},
      {8, 201, 0x01, {{201, 0x01}}},
      // 7 = 4 + 2 + 1, low bits first: 0x5B = 1·64 + 1·16 + 11
      //   4 bits 1011 at byte (1/2)·64 + 36, high half; 2 bits 01 at 128 + 36, bits 2 and up;
      //   1 bit at 192 + (36/4)·2 + 0, bit 4 + 0
      {7, 100, 0x5B, {{36, 0xB0}, {164, 0x04}, {210, 0x10}}},
      //   4 bits at byte (3/2)·64 + 9, high half; 2 bits at 128 + 9, bits 6 and up;
      //   1 bit at 192 + (9/4)·2 + 1, bit 4 + 1
      {7, 201, 0x5B, {{73, 0xB0}, {137, 0x40}, {197, 0x20}}},
      // 6 = 4 + 2: 0x36 = 3·16 + 6
      {6, 100, 0x36, {{36, 0x60}, {164, 0x0C}}},
      {6, 201, 0x36, {{73, 0x60}, {137, 0xC0}}},
      // 5 = 4 + 1: 0x19 = 1·16 + 9
      {5, 100, 0x19, {{36, 0x90}, {146, 0x10}}},
      {5, 201, 0x19, {{73, 0x90}, {133, 0x20}}},
      // 4: d even is a low half, d odd a high one
      {4, 36, 0x9, {{36, 0x09}}},
      {4, 100, 0x9, {{36, 0x90}}},
      {4, 164, 0x9, {{100, 0x09}}},
      // 3 = 2 + 1: 0b101 = 1·4 + 1
      {3, 100, 0x5, {{36, 0x04}, {82, 0x10}}},
      {3, 201, 0x5, {{9, 0x40}, {69, 0x20}}},
      // 2: byte i, bits 2·d
      {2, 36, 0x3, {{36, 0x03}}},
      {2, 100, 0x2, {{36, 0x08}}},
      {2, 201, 0x1, {{9, 0x40}}},
      // 1: byte (i/4)·2 + d/2, bit 4·(d % 2) + i % 4
      {1, 100, 0x1, {{18, 0x10}}},
      {1, 201, 0x1, {{5, 0x20}}},
      {1, 255, 0x1, {{31, 0x80}}},
  };
  for (const Drawing& drawing : drawings) {
    Block block{};
    put_code(block.data(), drawing.bits, drawing.index, static_cast<unsigned>(drawing.code));
    Block expected{};
    for (const Byte& byte : drawing.bytes)
      expected[byte.at] = static_cast<std::uint8_t>(byte.value);
    EXPECT_EQ(block, expected) << drawing.bits << " bits, index " << drawing.index;
  }
}

}  // namespace
}  // namespace kvsplit
