#include "codec/tile_layout.h"

namespace kvsplit {

TileLayout tile_layout(const RowFormat& format, std::int64_t n_tiles) {
  TileLayout layout;
  layout.groups.reserve(format.group_bits.size());
  int channel = 0;
  for (const int bits : format.group_bits) {
    GroupLayout place;
    place.first_channel = channel;
    place.bits = bits;
    place.offset = layout.bytes;
    place.tile_bytes = place.scales_offset() + (place.coded() ? tile_rows : 0);
    place.raw_offset = layout.raw_row_bytes;
    channel += group_channels;
    layout.bytes += place.tile_bytes * static_cast<std::size_t>(n_tiles);
    layout.raw_row_bytes += place.raw_code_bytes() + (place.coded() ? 1 : 0);
    layout.groups.push_back(place);
  }
  return layout;
}

}  // namespace kvsplit
