#include "cache/row_image.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "codec/tile_layout.h"
#include "support/cache_fixture.h"
#include "support/formats.h"
#include "support/planned_format.h"

namespace kvsplit {
namespace {

using Bytes = std::vector<std::byte>;

constexpr int n_channels = 192;
constexpr std::size_t f16_row = 2 * n_channels;

std::size_t raw_bytes(const RowFormat& format) { return tile_layout(format, 1).raw_row_bytes; }

/// The same format, with marks in its scales where it has any.
RowFormat even(RowFormat format) {
  format.even_scales = true;
  return format;
}

/// As the cache asks for it in nominal rows of that size.
RowFormat fitted(const RowFormat& format, std::size_t nominal_bytes) {
  return RowImage::mark_for(format, nominal_bytes) == RowImage::Mark::scales ? even(format)
                                                                             : format;
}

/// A raw row of a tensor of this format that holds random numbers.
Bytes raw_row(const RowFormat& format, unsigned seed) {
  test::OwnedTensor tensor(format, Side::key, {16, 1}, 64);
  test::write_rows(*tensor, test::random_numbers(n_channels, seed), {3});
  Bytes raw(tensor->raw_row_bytes());
  tensor->read_raw(3, raw);
  return raw;
}

Bytes sealed(const RowFormat& any_format, std::size_t nominal_bytes, unsigned seed) {
  const RowFormat format = fitted(any_format, nominal_bytes);
  const RowImage image(format, nominal_bytes);
  Bytes bytes(nominal_bytes, std::byte{0xEE});  // what lay there before
  std::ranges::copy(raw_row(format, seed), bytes.begin());
  image.seal(bytes);
  return bytes;
}

/// Nominal rows with room for a trailer, with some bytes left, and with none at all.
std::vector<std::size_t> nominal_sizes(const RowFormat& format) {
  const std::size_t raw = raw_bytes(format);
  return {raw, raw + 1, raw + 7, raw + 8, raw + 9, raw + 15, raw + 16, raw + 17, raw + 200};
}

// A plan gives a row no more bits than that: with them it has room for its exact form and a trailer
// in an f16 row, with 8 bytes more it has not.
TEST(RowImage, SaysHowManyBitsExactFormsLeave) {
  for (const int n_groups : {8, 12, 16, 64}) {
    RowFormat format = uniform_format(n_groups * group_channels, 1, TransformKind::identity);
    const auto maps =
        test::planned_format({.head_dim = 64, .n_heads = n_groups / 4, .frame_cells = 64});
    format.maps = maps.maps;
    format.sinks = 4;
    format.exact_saved = true;
    int left = RowImage::code_bytes_beside_exact(n_groups) * 8 / group_channels - n_groups;
    for (int& bits : format.group_bits) {
      const int more = std::min(left, 7);
      bits += more;
      left -= more;
    }
    const std::size_t f16_bytes = 2 * format.n_channels();
    EXPECT_EQ(RowImage::mark_for(format, f16_bytes), RowImage::Mark::trailer) << n_groups;
    ++*std::ranges::find_if(format.group_bits, [](int bits) { return bits < 8; });
    EXPECT_NE(RowImage::mark_for(format, f16_bytes), RowImage::Mark::trailer) << n_groups;
  }
}

TEST(RowImage, WhatIsSealedIsOpenedWithoutLoss) {
  for (const test::NamedFormat& named : test::row_formats(n_channels)) {
    for (const std::size_t nominal : nominal_sizes(named.format)) {
      SCOPED_TRACE(named.name + " in " + std::to_string(nominal) + " bytes");
      const RowFormat format = fitted(named.format, nominal);
      const RowImage image(format, nominal);
      ASSERT_EQ(image.raw_bytes(), raw_bytes(named.format));
      Bytes bytes = sealed(named.format, nominal, 1);
      ASSERT_TRUE(image.open(bytes));
      bytes.resize(image.raw_bytes());
      ASSERT_EQ(bytes, raw_row(format, 1));
    }
  }
}

TEST(RowImage, RowsOfOtherFormatsAreRefusedAndLeftAlone) {
  const auto formats = test::row_formats(n_channels);
  for (const test::NamedFormat& written : formats) {
    for (const test::NamedFormat& expected : formats) {
      if (written.format == expected.format) continue;
      SCOPED_TRACE(written.name + " as " + expected.name);
      // Room for a trailer in both.
      const std::size_t nominal = f16_row + 16;
      const Bytes before = sealed(written.format, nominal, 2);
      Bytes bytes = before;
      ASSERT_FALSE(RowImage(expected.format, nominal).open(bytes));
      ASSERT_EQ(bytes, before);
    }
  }
}

// llama.cpp clears caches, and saves cells that were never written, as zeros.
TEST(RowImage, ZerosAreARowOfZerosInAnyFormat) {
  for (const test::NamedFormat& named : test::row_formats(n_channels)) {
    for (const std::size_t nominal : nominal_sizes(named.format)) {
      Bytes zeros(nominal);
      EXPECT_TRUE(RowImage(fitted(named.format, nominal), nominal).open(zeros)) << named.name;
      EXPECT_EQ(zeros, Bytes(nominal)) << named.name;
    }
  }
}

TEST(RowImage, TheHostsOwnRowsAreNotTakenForPackedOnes) {
  const RowFormat half = uniform_format(n_channels, 16, TransformKind::identity);
  Bytes own = raw_row(half, 3);  // an f16 row as llama.cpp itself saves it
  for (const test::NamedFormat& named : test::row_formats(n_channels)) {
    if (raw_bytes(named.format) + 16 > f16_row) continue;
    EXPECT_FALSE(RowImage(named.format, f16_row).open(own)) << named.name;
  }
  // Except where packed rows are those very numbers: such sessions are exchanged with the host.
  const RowImage image(half, f16_row);
  const Bytes before = own;
  EXPECT_TRUE(image.open(own));
  EXPECT_EQ(own, before);
  image.seal(own);
  EXPECT_EQ(own, before);
}

TEST(RowImage, OfSixteenBitsRefusesPackedOnes) {
  const RowFormat half = uniform_format(n_channels, 16, TransformKind::identity);
  const RowFormat packed = uniform_format(n_channels, 4, TransformKind::hadamard);
  Bytes bytes = sealed(packed, f16_row, 4);
  EXPECT_FALSE(RowImage(half, f16_row).open(bytes));
}

// q8_0 rows are exactly as large as rows of 8 bits: even scales must tell them apart.
TEST(RowImage, WithoutRoomTheLowestBitsOfEvenScalesAreTheMark) {
  const RowFormat turned = even(uniform_format(n_channels, 8, TransformKind::hadamard));
  const RowFormat plain = even(uniform_format(n_channels, 8, TransformKind::identity));
  const std::size_t nominal = raw_bytes(turned);
  ASSERT_EQ(nominal, static_cast<std::size_t>(n_channels) / 32 * 34);
  Bytes unmarked = raw_row(turned, 5);
  EXPECT_FALSE(RowImage(turned, nominal).open(unmarked));
  Bytes other = sealed(plain, nominal, 5);
  EXPECT_FALSE(RowImage(turned, nominal).open(other));
}

}  // namespace
}  // namespace kvsplit
