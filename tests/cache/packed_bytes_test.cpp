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

constexpr int t = 21;  // the row that is written, of a tile of zeros

// 16 channels with these codes: (code − middle) · step is their exact number.
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
  std::map<std::size_t, int> bytes;  // all of the group's tile that are not 0
};

// The head has two groups; the second, of zeros, is not looked at.
void expect_as_drawn(const Drawing& drawing) {
  SCOPED_TRACE(drawing.name);
  const RowFormat format = uniform_format(32, drawing.bits, TransformKind::identity);
  const CellShape cells{64, 1};
  ASSERT_EQ(PackedTensor::bytes(format, cells), 2 * drawing.tile_bytes);
  OwnedTensor tensor(format, drawing.side, cells, 32);
  std::vector<float> numbers = on_levels(drawing.codes, drawing.bits, drawing.step);
  numbers.resize(32);
  test::write_rows(*tensor, numbers, {t});
  for (std::size_t i = 0; i < drawing.tile_bytes; ++i) {
    const auto found = drawing.bytes.find(i);
    const int expected = found == drawing.bytes.end() ? 0 : found->second;
    ASSERT_EQ(std::to_integer<int>(tensor->memory()[i]), expected) << "byte " << i;
  }
}

// Codes that differ from channel to channel, from the lowest level to the highest.
std::vector<int> codes_of_8_bits() {
  std::vector<int> codes;
  for (int c = 0; c < 15; ++c) codes.push_back(16 * c);
  codes.push_back(255);
  return codes;
}

std::vector<int> codes_of_4_bits() {
  std::vector<int> codes;
  for (int c = 0; c < 16; ++c) codes.push_back(c);
  return codes;
}

// Row 21 is row 5 of the second block of 256 bytes: 4 channels at byte 256 + (c / 4) · 64 + 5 · 4.
// Then 64 scales, of which row 21's is 1/16 = 2^(e − 15 − 8): e = 19, m = 0.
TEST(PackedBytes, EightBitKeysAreAsDrawn) {
  Drawing drawing{"K8", Side::key, 8, codes_of_8_bits(), 1.0F / 16, 4 * 256 + 64, {}};
  for (std::size_t c = 1; c < 16; ++c) {
    drawing.bytes[256 + c / 4 * 64 + 20 + c % 4] = drawing.codes[c];
  }
  drawing.bytes[1024 + t] = 19 * 8;
  expect_as_drawn(drawing);
}

// A block of 128 bytes, two halves of 64: channels 0 … 3 low and 4 … 7 high at byte 5 · 4, channels
// 8 … 11 low and 12 … 15 high 64 bytes on. Scale 1/4 = 2^(e − 15 − 4).
TEST(PackedBytes, FourBitKeysAreAsDrawn) {
  expect_as_drawn({"K4",
                   Side::key,
                   4,
                   codes_of_4_bits(),
                   1.0F / 4,
                   4 * 128 + 64,
                   {{148, 0x40},
                    {149, 0x51},
                    {150, 0x62},
                    {151, 0x73},  // 4 | 0, 5 | 1 …
                    {212, 0xC8},
                    {213, 0xD9},
                    {214, 0xEA},
                    {215, 0xFB},  // 12 | 8 …
                    {512 + t, 17 * 8}}});
}

// Row 5 of the block is the second of the first pair in quarter d = 1: high halves, at bytes
// (c / 4) · 16 + (c % 4) · 2 + 1.
TEST(PackedBytes, FourBitValuesAreAsDrawn) {
  Drawing drawing{"V4", Side::value, 4, codes_of_4_bits(), 1.0F / 4, 4 * 128 + 64, {}};
  for (std::size_t c = 1; c < 16; ++c) {
    drawing.bytes[128 + c / 4 * 16 + c % 4 * 2 + 1] = static_cast<int>(c) << 4;
  }
  drawing.bytes[512 + t] = 17 * 8;
  expect_as_drawn(drawing);
}

// In a block [channel][row] for keys, [row][channel] for values; no scales.
TEST(PackedBytes, SixteenBitsAreAsDrawn) {
  for (const Side side : {Side::key, Side::value}) {
    OwnedTensor tensor(uniform_format(32, 16, TransformKind::identity), side, {64, 1}, 32);
    std::vector<float> numbers;
    for (int c = 0; c < 32; ++c) numbers.push_back(static_cast<float>(c + 1));
    test::write_rows(*tensor, numbers, {t});
    for (int i = 0; i < 2048; ++i) {
      const int in_block = i % 256;
      const int row = i % 1024 / 256 * 16 + (side == Side::key ? in_block % 16 : in_block / 16);
      const int channel = i / 1024 * 16 + (side == Side::key ? in_block / 16 : in_block % 16);
      const Half expected = row == t ? float_to_half(static_cast<float>(channel + 1)) : Half{0};
      ASSERT_EQ(std::to_integer<int>(tensor->memory()[2 * i]), expected & 0xFF) << i;
      ASSERT_EQ(std::to_integer<int>(tensor->memory()[2 * i + 1]), expected >> 8) << i;
    }
  }
}

// A saved row: per group its codes in channel order as a little-endian bit stream, then the scale.
// Three bits: codes 0 … 7 are 0b111'110'101'100'011'010'001'000 = 0xFAC688; 1/2 = 2^(17 − 15 − 3).
TEST(PackedBytes, SavedRowsAreBitStreamsWithScales) {
  for (const Side side : {Side::key, Side::value}) {
    OwnedTensor tensor(uniform_format(32, 3, TransformKind::identity), side, {64, 1}, 32);
    std::vector<int> codes;
    for (int c = 0; c < 32; ++c) codes.push_back(c % 8);
    test::write_rows(*tensor, on_levels(codes, 3, 0.5F), {t});
    std::vector<std::byte> raw(tensor->raw_row_bytes());
    tensor->read_raw(t, raw);
    std::vector<int> bytes;
    for (const std::byte b : raw) bytes.push_back(std::to_integer<int>(b));
    EXPECT_EQ(bytes, (std::vector<int>{0x88, 0xC6, 0xFA, 0x88, 0xC6, 0xFA, 17 * 8, 0x88, 0xC6, 0xFA,
                                       0x88, 0xC6, 0xFA, 17 * 8}));
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
      OwnedTensor tensor(named.format, side, {64, 1}, 64);
      test::write_rows(*tensor, values, test::consecutive(0, 16));
      for (std::size_t i = 0; i < PackedTensor::bytes(named.format, {64, 1}); ++i) {
        hash = (hash ^ std::to_integer<std::uint64_t>(tensor->memory()[i])) * 0x100000001B3U;
      }
    }
  }
  EXPECT_EQ(hash, 13081859112313695342U);
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

std::size_t bytes_of(const std::string& text, CellShape cells) {
  const Precision precision = parse_precision(text);
  return PackedTensor::bytes(plan_format(precision, 0, Side::key, 192, false), cells) +
         PackedTensor::bytes(plan_format(precision, 0, Side::value, 192, false), cells);
}

TEST(PackedBytes, OfK8V4AreThirteenThirtySecondsOfFP16) {
  const CellShape cells{8192, 2};
  EXPECT_EQ(bytes_of("K8V4:sinks=0:window=0", cells) * 32, bytes_of("FP16", cells) * 13);
  EXPECT_EQ(bytes_of("FP16", cells), std::size_t{2} * 192 * 2 * 16384);
}

// Streams begin with tiles of their own: never more than 63 rows each are wasted.
TEST(PackedBytes, OfAnOddNumberOfCellsAreThoseOfWholeTiles) {
  for (const std::int64_t kv_size : {1, 63, 64, 65, 100}) {
    const std::int64_t padded = (kv_size + 63) / 64 * 64;
    EXPECT_EQ(bytes_of("K8V4", {kv_size, 3}), bytes_of("K8V4", {padded, 3})) << kv_size;
    EXPECT_EQ(bytes_of("8", {kv_size, 3}), 3 * bytes_of("8", {kv_size, 1})) << kv_size;
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
