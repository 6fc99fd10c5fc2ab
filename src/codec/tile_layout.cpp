#include "codec/tile_layout.h"

#include <algorithm>
#include <span>

namespace kvsplit {
namespace {

// Appends groups of a strand that begins at the layout's end.
void add_strand(std::span<const int> group_bits, std::int64_t n_tiles, TileLayout& layout) {
  const std::size_t first = layout.groups.size();
  std::size_t stride = 0;
  for (const int bits : group_bits) {
    GroupLayout place;
    place.first_channel = static_cast<int>(layout.groups.size()) * group_channels;
    place.bits = bits;
    place.offset = layout.bytes + stride;
    place.tile_bytes = place.scales_offset() + (place.coded() ? tile_rows : 0);
    place.raw_offset = layout.raw_row_bytes;
    stride += place.tile_bytes;
    layout.raw_row_bytes += place.raw_code_bytes() + (place.coded() ? 1 : 0);
    layout.groups.push_back(place);
  }
  for (std::size_t g = first; g < layout.groups.size(); ++g) layout.groups[g].tile_stride = stride;
  layout.bytes += stride * static_cast<std::size_t>(n_tiles);
}

}  // namespace

TileLayout tile_layout(const RowFormat& format, std::int64_t n_tiles) {
  TileLayout layout;
  layout.groups.reserve(format.group_bits.size());
  const std::span<const int> groups = format.group_bits;
  for (std::size_t g = 0; g < groups.size(); g += strand_groups) {
    add_strand(groups.subspan(g, std::min<std::size_t>(strand_groups, groups.size() - g)), n_tiles,
               layout);
  }
  return layout;
}

}  // namespace kvsplit
