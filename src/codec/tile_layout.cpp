#include "codec/tile_layout.h"

#include "base/half.h"

namespace kvsplit {

TileLayout tile_layout(const RowFormat& format, std::int64_t n_tiles) {
  TileLayout layout;
  layout.groups.reserve(format.groups.size());
  int channel = 0;
  for (const Group& group : format.groups) {
    GroupLayout place;
    place.first_channel = channel;
    place.n_channels = group.n_channels;
    place.bits = group.bits;
    place.offset = layout.bytes;
    place.tile_bytes = place.scales_offset() + (place.coded() ? tile_rows * sizeof(Half) : 0);
    place.raw_offset = layout.raw_row_bytes;
    channel += group.n_channels;
    layout.bytes += place.tile_bytes * static_cast<std::size_t>(n_tiles);
    layout.raw_row_bytes += place.raw_code_bytes() + (place.coded() ? sizeof(Half) : 0);
    layout.groups.push_back(place);
  }
  return layout;
}

}  // namespace kvsplit
