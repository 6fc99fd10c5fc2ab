#include "cache/query_rows.h"

#include <algorithm>

#include "codec/group_codec.h"
#include "codec/transform.h"

namespace kvsplit {
namespace {

/// The groups of a head's keys that queries meet: first … end - 1, of which -1 is that of places in
/// a frame.
struct Meetings {
  int first, end;
  std::size_t n_fine;  // in a query's 16 bits
};

// In a plan's space the first groups of keys are the largest, and there 8 bits of a query are too
// few: the error they leave is what 8-bit keys are measured by. The same goes for places in a
// frame, which exact rows hold in themselves.
Meetings meetings(const PackedTensor& keys, int head, KeyForm form) {
  const std::span<const GroupLayout> groups = keys.head_groups(head);
  const bool exact = form == KeyForm::exact;
  const bool places = keys.format().frame_cells() > 0 && !exact;
  const auto has_bits = [&](const GroupLayout& group) { return exact || group.bits > 0; };
  const auto n = std::ranges::find_if_not(groups, has_bits) - groups.begin();
  const auto n_large = keys.format().maps ? (std::ssize(groups) + 3) / 4 : 0;
  return {places ? -1 : 0, static_cast<int>(n),
          static_cast<std::size_t>(std::min(n_large, n) + (places ? 1 : 0))};
}

int n_place_channels(const PackedTensor& keys) {
  return keys.format().frame_cells() > 0 ? n_place_numbers : 0;
}

}  // namespace

GroupTiles packed_tiles(const PackedTensor& tensor, const GroupLayout& group, std::int64_t stream) {
  return {tensor.tiles(group, stream), group.tile_stride, group.bits, group.short_scale_base};
}

std::span<const GroupTiles> key_tiles(const PackedTensor& keys, int head, std::int64_t stream,
                                      HeadTiles& room) {
  const Meetings met = meetings(keys, head, KeyForm::packed);
  std::size_t n = 0;
  if (met.first < 0) {
    const HeadMap& map = keys.format().maps->heads[static_cast<std::size_t>(head)];
    room[n++] = {map.place_tiles.data(), place_tile_bytes, place_group.bits};
  }
  for (const GroupLayout& group : keys.head_groups(head).first(met.end)) {
    room[n++] = packed_tiles(keys, group, stream);
  }
  return std::span(room).first(n);
}

std::size_t n_fine_groups(const PackedTensor& keys, int head, KeyForm form) {
  return meetings(keys, head, form).n_fine;
}

Turn frame_turn(const PackedTensor& keys, int head, CellPlace cell) {
  if (keys.format().frame_cells() == 0) return {};
  return turn_of(keys.format().maps->rotation, keys.place_in_frame(cell, head).position);
}

void map_queries(const PackedTensor& keys, int head, const Turn& turn, int n_rows,
                 QueryScratch& scratch) {
  const int n_out = keys.head_dim() + n_place_channels(keys);
  scratch.encoded.reset();
  for (int row = 0; row < n_rows; row += queries_at_once) {
    queries_into_space(keys.format(), head, turn,
                       {scratch.row(row), &scratch.mapped[row * max_query_channels],
                        std::min(queries_at_once, n_rows - row), n_out},
                       &scratch.lacking[row]);
  }
}

void encode_queries(const PackedTensor& keys, int head, KeyForm form, int n_rows,
                    QueryScratch& scratch) {
  if (scratch.encoded == form) return;
  scratch.encoded = form;
  const Meetings met = meetings(keys, head, form);
  const int n_before = n_place_channels(keys) / group_channels;
  for (int i = 0; i < n_rows; ++i) {
    const float* numbers =
        &scratch.mapped[i * max_query_channels + (met.first + n_before) * group_channels];
    std::size_t at = static_cast<std::size_t>(i) * max_head_groups;
    for (int group = met.first; group < met.end; ++group, ++at, numbers += group_channels) {
      const int bits = group < 0 || form == KeyForm::exact ? 8 : keys.head_groups(head)[group].bits;
      if (bits == 16) continue;
      const bool fine = static_cast<std::size_t>(group - met.first) < met.n_fine;
      int sum = 0;
      scratch.scales[at] =
          kernels().encode_numbers(numbers, &scratch.codes[at * group_channels],
                                   fine ? &scratch.low_codes[at * group_channels] : nullptr, sum);
      scratch.offsets[at] = -scratch.scales[at] * code_middle(bits) * static_cast<float>(sum);
    }
  }
}

}  // namespace kvsplit
