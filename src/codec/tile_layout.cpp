#include "codec/tile_layout.h"

#include <algorithm>

namespace kvsplit {

TileLayout tile_layout(const RowFormat& format, std::int64_t n_tiles) {
  TileLayout layout;
  const std::size_t n_groups = format.group_bits.size();
  layout.groups.reserve(n_groups);
  for (std::size_t first = 0; first < n_groups; first += strand_groups) {
    const std::size_t end = std::min(first + strand_groups, n_groups);
    std::size_t stride = 0;
    for (std::size_t g = first; g < end; ++g) {
      GroupLayout& group = layout.groups.emplace_back();
      group.first_channel = static_cast<int>(g) * group_channels;
      group.bits = format.group_bits[g];
      group.offset = layout.bytes + stride;
      if (format.maps && !format.whole_scales) group.short_scale_base = format.maps->scale_base(g);
      group.tile_bytes = group.scales_offset() + group.scale_bytes();
      group.raw_offset = layout.raw_row_bytes;
      stride += group.tile_bytes;
      layout.raw_row_bytes += group.raw_bytes();
    }
    for (std::size_t g = first; g < end; ++g) layout.groups[g].tile_stride = stride;
    layout.bytes += stride * static_cast<std::size_t>(n_tiles);
  }
  layout.exact_raw_offset = layout.raw_row_bytes;
  if (format.n_slots() > 0) layout.raw_row_bytes += exact_mark_bytes;
  if (format.exact_saved) layout.raw_row_bytes += n_groups * exact_group.raw_bytes();
  if (format.frame_cells() > 0) layout.raw_row_bytes += sizeof(PlaceInFrame);
  return layout;
}

}  // namespace kvsplit
