#include "codec/row_format.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "codec/tile_layout.h"

namespace kvsplit {
namespace {

TEST(RowFormat, UniformOnesHaveEqualGroupsOf32) {
  for (const int bits : {1, 2, 3, 4, 5, 6, 7, 8, 16}) {
    const RowFormat format = uniform_format(192, bits, TransformKind::hadamard);
    EXPECT_EQ(format.groups, std::vector<Group>(6, Group{32, bits}));
    EXPECT_EQ(format.transform, TransformKind::hadamard);
    EXPECT_EQ(format.n_channels(), 192);
  }
}

TEST(RowFormat, ChannelsAreCountedOverAllGroups) {
  EXPECT_EQ((RowFormat{{{16, 3}, {48, 5}, {32, 16}}, {}}.n_channels()), 96);
  EXPECT_EQ(RowFormat{}.n_channels(), 0);
}

TEST(RowFormat, TheFingerprintChangesWithAnything) {
  std::vector<std::pair<std::string, RowFormat>> formats;
  for (const TransformKind transform : {TransformKind::identity, TransformKind::hadamard}) {
    const std::string name = transform == TransformKind::identity ? "" : ", turned";
    for (const int bits : {1, 2, 3, 4, 5, 6, 7, 8, 16}) {
      for (const int n : {32, 64, 96, 1024}) {
        formats.emplace_back(std::to_string(n) + " of " + std::to_string(bits) + name,
                             uniform_format(n, bits, transform));
      }
    }
    formats.emplace_back("none" + name, RowFormat{{}, transform});
    formats.emplace_back("one large group" + name, RowFormat{{{64, 4}}, transform});
    formats.emplace_back("four small groups" + name,
                         RowFormat{std::vector(4, Group{16, 4}), transform});
    formats.emplace_back("widths" + name, RowFormat{{{32, 4}, {32, 8}}, transform});
    formats.emplace_back("their order" + name, RowFormat{{{32, 8}, {32, 4}}, transform});
    formats.emplace_back("sizes" + name, RowFormat{{{16, 4}, {48, 4}}, transform});
    formats.emplace_back("their order" + name, RowFormat{{{48, 4}, {16, 4}}, transform});
    formats.emplace_back("size for width" + name, RowFormat{{{16, 32}}, transform});
    formats.emplace_back("width for size" + name, RowFormat{{{32, 16}}, transform});
  }
  std::set<std::uint64_t> fingerprints{0};
  for (const auto& [name, format] : formats) {
    if (name.starts_with("32 of 16")) continue;  // the same as "width for size"
    EXPECT_TRUE(fingerprints.insert(format.fingerprint()).second) << name;
  }
}

// Saved sessions carry it: a change means that the version in row_format.cpp must go up, and these
// numbers with it.
TEST(RowFormat, FingerprintsStayWhatTheyWereWhenSessionsWereSaved) {
  EXPECT_EQ(uniform_format(192, 8, TransformKind::hadamard).fingerprint(), 7738006388309859269U);
  EXPECT_EQ(uniform_format(192, 4, TransformKind::hadamard).fingerprint(), 6959135262134145733U);
}

TEST(TileLayout, GroupsFollowOneAnotherAndFillTheTensor) {
  const RowFormat format{{{16, 3}, {48, 5}, {32, 16}, {32, 8}, {16, 1}}, {}};
  constexpr int n_tiles = 7;
  const TileLayout layout = tile_layout(format, n_tiles);
  ASSERT_EQ(layout.groups.size(), format.groups.size());
  int channel = 0;
  std::size_t offset = 0;
  std::size_t raw_offset = 0;
  for (std::size_t g = 0; g < layout.groups.size(); ++g) {
    const GroupLayout& group = layout.groups[g];
    const auto [n_channels, bits] = format.groups[g];
    EXPECT_EQ(group.first_channel, channel);
    EXPECT_EQ(group.n_channels, n_channels);
    EXPECT_EQ(group.bits, bits);
    EXPECT_EQ(group.offset, offset);
    EXPECT_EQ(group.raw_offset, raw_offset);
    // 16 rows of n_channels codes, and 16 scales
    const std::size_t scales = bits == 16 ? 0 : 2;
    const std::size_t row_bytes = static_cast<std::size_t>(n_channels) * bits / 8 + scales;
    EXPECT_EQ(group.tile_bytes, 16 * row_bytes);
    EXPECT_EQ(group.scales_offset(), 16 * (row_bytes - scales));
    channel += n_channels;
    offset += n_tiles * group.tile_bytes;
    raw_offset += row_bytes;
  }
  EXPECT_EQ(layout.bytes, offset);
  EXPECT_EQ(layout.raw_row_bytes, raw_offset);
}

// So a tile's scales and a block's plane of single bits, 32 bytes each, never straddle cache lines.
TEST(TileLayout, BlocksLieAtMultiplesOf32Bytes) {
  for (int bits = 1; bits <= 8; ++bits) {
    const TileLayout layout = tile_layout(RowFormat{{{16, bits}, {32, 3}, {16, 7}}, {}}, 5);
    for (const GroupLayout& group : layout.groups) {
      EXPECT_EQ(group.offset % 32, 0U);
      EXPECT_EQ(group.tile_bytes % 32, 0U);
    }
  }
}

}  // namespace
}  // namespace kvsplit
