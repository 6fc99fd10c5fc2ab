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

TEST(RowFormat, UniformOnesHaveEqualGroupsOf16) {
  for (const int bits : {1, 2, 3, 4, 5, 6, 7, 8, 16}) {
    const RowFormat format = uniform_format(192, bits, TransformKind::hadamard);
    EXPECT_EQ(format.group_bits, std::vector<int>(12, bits));
    EXPECT_EQ(format.transform, TransformKind::hadamard);
    EXPECT_EQ(format.n_channels(), 192);
  }
}

TEST(RowFormat, ChannelsAreCountedOverAllGroups) {
  EXPECT_EQ((RowFormat{{3, 5, 5, 5, 16, 16}, {}}.n_channels()), 96);
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
    formats.emplace_back("widths" + name, RowFormat{{4, 8}, transform});
    formats.emplace_back("their order" + name, RowFormat{{8, 4}, transform});
    formats.emplace_back("even scales" + name, RowFormat{{8, 8}, transform, true});
    formats.emplace_back("sinks" + name, RowFormat{{8, 8}, transform, false, 4});
    formats.emplace_back("saved ones" + name, RowFormat{{8, 8}, transform, false, 4, 0, true});
  }
  std::set<std::uint64_t> fingerprints{0};
  for (const auto& [name, format] : formats) {
    EXPECT_TRUE(fingerprints.insert(format.fingerprint()).second) << name;
  }
}

// Saved sessions carry it: a change means that the version in row_format.cpp must go up, and these
// numbers with it.
TEST(RowFormat, FingerprintsStayWhatTheyWereWhenSessionsWereSaved) {
  EXPECT_EQ(uniform_format(192, 8, TransformKind::hadamard).fingerprint(), 13142387079487262342U);
  EXPECT_EQ(uniform_format(192, 4, TransformKind::hadamard).fingerprint(), 15444105835943032198U);
}

TEST(TileLayout, GroupsShareStrandsInFoursAndFillTheTensor) {
  const RowFormat format{{3, 5, 16, 8, 1, 4}, {}};
  constexpr int n_tiles = 7;
  const TileLayout layout = tile_layout(format, n_tiles);
  ASSERT_EQ(layout.groups.size(), format.group_bits.size());
  int channel = 0;
  std::size_t strand = 0;
  std::size_t in_strand = 0;
  std::size_t raw_offset = 0;
  for (std::size_t g = 0; g < layout.groups.size(); ++g) {
    const GroupLayout& group = layout.groups[g];
    EXPECT_EQ(group.first_channel, channel);
    EXPECT_EQ(group.bits, format.group_bits[g]);
    EXPECT_EQ(group.offset, strand + in_strand);
    EXPECT_EQ(group.tile_stride, g < 4 ? 64 * (7 + 11 + 32 + 17) : 64 * (3 + 9));
    EXPECT_EQ(group.raw_offset, raw_offset);
    // 64 rows of 16 codes, and 64 scales
    const std::size_t code_bytes = std::size_t{2} * group.bits;
    const std::size_t row_bytes = code_bytes + (group.bits == 16 ? 0 : 1);
    EXPECT_EQ(group.tile_bytes, 64 * row_bytes);
    EXPECT_EQ(group.scales_offset(), 64 * code_bytes);
    channel += 16;
    in_strand += group.tile_bytes;
    raw_offset += row_bytes;
    if (g == 3 || g == 5) {  // strands of four groups
      strand += n_tiles * in_strand;
      in_strand = 0;
    }
  }
  EXPECT_EQ(layout.bytes, strand);
  EXPECT_EQ(layout.raw_row_bytes, raw_offset);
}

TEST(TileLayout, TilesAndTheirScalesBeginWithACacheLine) {
  for (int bits = 1; bits <= 8; ++bits) {
    const TileLayout layout = tile_layout(RowFormat{{bits, 3, 16, 7}, {}}, 5);
    for (const GroupLayout& group : layout.groups) {
      EXPECT_EQ(group.offset % 64, 0U);
      EXPECT_EQ(group.tile_stride % 64, 0U);
      EXPECT_EQ(group.scales_offset() % 64, 0U);
    }
  }
}

}  // namespace
}  // namespace kvsplit
