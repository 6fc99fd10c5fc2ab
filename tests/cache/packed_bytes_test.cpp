#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/half.h"
#include "cache/packed_tensor.h"
#include "cache/plan.h"
#include "support/cache_fixture.h"
#include "support/formats.h"

// The bytes of packed rows: as the drawings of bit_planes.h and tile_layout.h have them, and as
// many as are promised.
namespace kvsplit {
namespace {

using test::OwnedTensor;

constexpr int t = 5;  // the row that is written, of a tile of zeros

// 32 channels with these codes: (code − middle) · step is their exact number.
std::vector<float> on_levels(const std::vector<int>& codes, int bits, float step) {
  std::vector<float> numbers;
  for (const int code : codes) {
    numbers.push_back(step * (static_cast<float>(code) - static_cast<float>((1 << bits) - 1) / 2));
  }
  return numbers;
}

struct Drawing {
  const char* name;
  Side side;
  int bits;
  std::vector<int> codes;
  float step;
  std::size_t tile_bytes;
  std::map<std::size_t, int> bytes;  // all of the tile that are not 0
};

void expect_as_drawn(const Drawing& drawing) {
  SCOPED_TRACE(drawing.name);
  const RowFormat format = uniform_format(32, drawing.bits, TransformKind::identity);
  const CellShape cells{16, 1};
  ASSERT_EQ(PackedTensor::bytes(format, cells), drawing.tile_bytes);
  OwnedTensor tensor(format, drawing.side, cells, 32);
  test::write_rows(*tensor, on_levels(drawing.codes, drawing.bits, drawing.step), {t});
  for (std::size_t i = 0; i < drawing.tile_bytes; ++i) {
    const auto found = drawing.bytes.find(i);
    const int expected = found == drawing.bytes.end() ? 0 : found->second;
    ASSERT_EQ(std::to_integer<int>(tensor->memory()[i]), expected) << "byte " << i;
  }
}

// Codes that differ from channel to channel, from the lowest level to the highest.
std::vector<int> codes_of_8_bits() {
  std::vector<int> codes;
  for (int c = 0; c < 31; ++c) codes.push_back(8 * c);
  codes.push_back(255);
  return codes;
}

std::vector<int> codes_of_4_bits() {
  std::vector<int> codes;
  for (int c = 0; c < 32; ++c) codes.push_back(c < 16 ? c : 31 - c);
  return codes;
}

// A block of 256 bytes: row t of 4 channels at byte (c / 4) · 64 + t · 4; two blocks; 16 scales of
// which row 5's is 1/16 = 0x2C00.
TEST(PackedBytes, EightBitKeysAreAsDrawn) {
  expect_as_drawn({"K8",
                   Side::key,
                   8,
                   codes_of_8_bits(),
                   1.0F / 16,
                   2 * 256 + 32,
                   {{21, 8},
                    {22, 16},
                    {23, 24},  // channels 1 … 3 (0 has code 0)
                    {84, 32},
                    {85, 40},
                    {86, 48},
                    {87, 56},  // 4 … 7
                    {148, 64},
                    {149, 72},
                    {150, 80},
                    {151, 88},  // 8 … 11
                    {212, 96},
                    {213, 104},
                    {214, 112},
                    {215, 120},  // 12 … 15
                    {276, 128},
                    {277, 136},
                    {278, 144},
                    {279, 152},  // 16 … 19, second block
                    {340, 160},
                    {341, 168},
                    {342, 176},
                    {343, 184},  // 20 … 23
                    {404, 192},
                    {405, 200},
                    {406, 208},
                    {407, 216},  // 24 … 27
                    {468, 224},
                    {469, 232},
                    {470, 240},
                    {471, 255},  // 28 … 31
                    {512 + 2 * t + 1, 0x2C}}});
}

// A block of 128 bytes, two halves of 64: channels 0 … 3 low and 4 … 7 high at byte t · 4, channels
// 8 … 11 low and 12 … 15 high 64 bytes on. Scale 1/4 = 0x3400.
TEST(PackedBytes, FourBitKeysAreAsDrawn) {
  expect_as_drawn({"K4",
                   Side::key,
                   4,
                   codes_of_4_bits(),
                   1.0F / 4,
                   2 * 128 + 32,
                   {{20, 0x40},
                    {21, 0x51},
                    {22, 0x62},
                    {23, 0x73},  // 4 | 0, 5 | 1 …
                    {84, 0xC8},
                    {85, 0xD9},
                    {86, 0xEA},
                    {87, 0xFB},  // 12 | 8 …
                    {148, 0xBF},
                    {149, 0xAE},
                    {150, 0x9D},
                    {151, 0x8C},  // codes run down again
                    {212, 0x37},
                    {213, 0x26},
                    {214, 0x15},
                    {215, 0x04},
                    {256 + 2 * t + 1, 0x34}}});
}

// Row 5 is the second of pair 2: index 65 + 2 · c, which is d = 1, i = 1 + 2 · c: odd bytes, high.
TEST(PackedBytes, FourBitValuesAreAsDrawn) {
  Drawing drawing{"V4", Side::value, 4, codes_of_4_bits(), 1.0F / 4, 2 * 128 + 32, {}};
  for (std::size_t c = 0; c < 16; ++c) {
    const auto first = static_cast<int>(c);
    if (c > 0) drawing.bytes[1 + 2 * c] = first << 4;                // codes 0 … 15
    if (c < 15) drawing.bytes[128 + 1 + 2 * c] = (15 - first) << 4;  // 15 … 0
  }
  drawing.bytes[256 + 2 * t + 1] = 0x34;
  expect_as_drawn(drawing);
}

// [channel][row] for keys, [row][channel] for values; no scales.
TEST(PackedBytes, SixteenBitsAreAsDrawn) {
  for (const Side side : {Side::key, Side::value}) {
    OwnedTensor tensor(uniform_format(32, 16, TransformKind::identity), side, {16, 1}, 32);
    std::vector<float> numbers;
    for (int c = 0; c < 32; ++c) numbers.push_back(static_cast<float>(c + 1));
    test::write_rows(*tensor, numbers, {t});
    for (int i = 0; i < 512; ++i) {
      const int in_block = i % 256;
      const int row = side == Side::key ? in_block % 16 : in_block / 16;
      const int channel = i / 256 * 16 + (side == Side::key ? in_block / 16 : in_block % 16);
      const Half expected = row == t ? float_to_half(static_cast<float>(channel + 1)) : Half{0};
      ASSERT_EQ(std::to_integer<int>(tensor->memory()[2 * i]), expected & 0xFF) << i;
      ASSERT_EQ(std::to_integer<int>(tensor->memory()[2 * i + 1]), expected >> 8) << i;
    }
  }
}

// A saved row: codes in channel order as a little-endian bit stream, then the scale. Three bits:
// codes 0 … 7 are 0b111'110'101'100'011'010'001'000 = 0xFAC688; scale 1/2 = 0x3800.
TEST(PackedBytes, SavedRowsAreABitStreamWithAScale) {
  for (const Side side : {Side::key, Side::value}) {
    OwnedTensor tensor(uniform_format(32, 3, TransformKind::identity), side, {16, 1}, 32);
    std::vector<int> codes;
    for (int c = 0; c < 32; ++c) codes.push_back(c % 8);
    test::write_rows(*tensor, on_levels(codes, 3, 0.5F), {t});
    std::vector<std::byte> raw(tensor->raw_row_bytes());
    tensor->read_raw(t, raw);
    std::vector<int> bytes;
    for (const std::byte b : raw) bytes.push_back(std::to_integer<int>(b));
    EXPECT_EQ(bytes, (std::vector<int>{0x88, 0xC6, 0xFA, 0x88, 0xC6, 0xFA, 0x88, 0xC6, 0xFA, 0x88,
                                       0xC6, 0xFA, 0x00, 0x38}));
  }
}

// A better encoder changes this number; another compiler, flag or processor must not.
TEST(PackedBytes, AreTheSameOnEveryMachine) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  // Numbers without a library's generator: its normal distribution may differ from another's.
  std::uint32_t state = 1;
  std::vector<float> values(std::size_t{16} * 192);
  for (float& x : values) {
    state = state * 1664525U + 1013904223U;
    const auto centred = static_cast<float>(static_cast<std::int32_t>(state >> 8U) - (1 << 23));
    x = centred * centred * centred * 0x1p-67F;
  }
  for (const test::NamedFormat& named : test::row_formats(192)) {
    for (const Side side : {Side::key, Side::value}) {
      OwnedTensor tensor(named.format, side, {16, 1}, 64);
      test::write_rows(*tensor, values, test::consecutive(0, 16));
      for (std::size_t i = 0; i < PackedTensor::bytes(named.format, {16, 1}); ++i) {
        hash = (hash ^ std::to_integer<std::uint64_t>(tensor->memory()[i])) * 0x100000001B3U;
      }
    }
  }
  EXPECT_EQ(hash, 8155248688859599681U);
}

TEST(PackedBytes, AreHalfABitMoreThanTheWidth) {
  const CellShape cells{8192, 1};
  const auto numbers = static_cast<double>(192 * cells.n_rows());
  for (const int bits : {1, 2, 3, 4, 5, 6, 7, 8}) {
    const RowFormat format = uniform_format(192, bits, TransformKind::hadamard);
    EXPECT_EQ(8.0 * static_cast<double>(PackedTensor::bytes(format, cells)) / numbers, bits + 0.5);
  }
  const RowFormat format = uniform_format(192, 16, TransformKind::identity);
  EXPECT_EQ(8.0 * static_cast<double>(PackedTensor::bytes(format, cells)) / numbers, 16);
}

std::size_t bytes_of(const std::string& precision, CellShape cells) {
  const Plan plan(parse_precision(precision));
  return PackedTensor::bytes(plan.format(0, Side::key, 192, false), cells) +
         PackedTensor::bytes(plan.format(0, Side::value, 192, false), cells);
}

TEST(PackedBytes, OfK8V4AreThirteenThirtySecondsOfFP16) {
  const CellShape cells{8192, 2};
  EXPECT_EQ(bytes_of("K8V4", cells) * 32, bytes_of("FP16", cells) * 13);
  EXPECT_EQ(bytes_of("FP16", cells), std::size_t{2} * 192 * 2 * 16384);
}

// Streams begin with tiles of their own: never more than 15 rows each are wasted.
TEST(PackedBytes, OfAnOddNumberOfCellsAreThoseOfWholeTiles) {
  for (const std::int64_t kv_size : {1, 15, 16, 17, 100}) {
    const std::int64_t padded = (kv_size + 15) / 16 * 16;
    EXPECT_EQ(bytes_of("K8V4", {kv_size, 3}), bytes_of("K8V4", {padded, 3})) << kv_size;
    EXPECT_EQ(bytes_of("K8V4", {kv_size, 3}), 3 * bytes_of("K8V4", {kv_size, 1})) << kv_size;
  }
}

// Hosts that size buffers by nominal types (llama.cpp's RPC) give as much as those need: blocks of
// 32 numbers with a scale, for q8_0 34 bytes, q5_0 22, q4_0 18.
TEST(PackedBytes, AreNoMoreThanThoseOfNominalTypesOfTheSameWidth) {
  struct Nominal {
    int bits;
    std::size_t block_bytes;
  };
  for (const auto [bits, block_bytes] : {Nominal{8, 34}, Nominal{5, 22}, Nominal{4, 18}}) {
    const RowFormat format = uniform_format(192, bits, TransformKind::hadamard);
    EXPECT_LE(PackedTensor::bytes(format, {256, 1}), 256 * 192 / 32 * block_bytes) << bits;
  }
}

}  // namespace
}  // namespace kvsplit
