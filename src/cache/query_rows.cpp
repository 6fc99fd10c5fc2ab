#include "cache/query_rows.h"

#include "codec/group_codec.h"
#include "codec/transform.h"

namespace kvsplit {
namespace {

/// A group of keys as queries meet it.
struct Meeting {
  int number;  // of the 16 numbers of the query that are for it
  int group;   // of the head; -1: places in a frame
  int bits;
};

// In a plan's space the first groups of keys are the largest, and there 8 bits of a query are too
// few: the error they leave is what 8-bit keys are measured by. So those groups are met twice, the
// second time with what the query's first codes left over, as is the place in a frame, which exact
// rows hold in themselves. Calls visit(meeting) for all groups that have bits.
template <class Visit>
void for_each_meeting(const PackedTensor& keys, int head, KeyForm form, const Visit& visit) {
  const bool exact = form == KeyForm::exact;
  const std::span<const GroupLayout> groups = keys.head_groups(head);
  const auto n = static_cast<int>(groups.size());
  const int n_twice = keys.format().maps ? (n + 3) / 4 : 0;
  const int first = keys.format().frame_cells() > 0 ? -1 : 0;
  for (int group = exact ? 0 : first; group < n; ++group) {
    const int bits = exact || group < 0 ? 8 : groups[static_cast<std::size_t>(group)].bits;
    if (bits == 0) break;
    for (int time = 0; time < (group < n_twice ? 2 : 1); ++time) {
      visit(Meeting{group - first, group, bits});
    }
  }
}

}  // namespace

GroupTiles packed_tiles(const PackedTensor& tensor, const GroupLayout& group, std::int64_t stream) {
  return {tensor.tiles(group, stream), group.tile_stride, group.bits, group.short_scale_base};
}

std::span<const GroupTiles> key_tiles(const PackedTensor& keys, int head, std::int64_t stream,
                                      KeyForm form, HeadTiles& room) {
  std::size_t n = 0;
  for_each_meeting(keys, head, form, [&](const Meeting& meeting) {
    if (meeting.group < 0) {
      const HeadMap& map = keys.format().maps->heads[static_cast<std::size_t>(head)];
      room[n++] = {map.place_tiles.data(), place_tile_bytes, meeting.bits};
      return;
    }
    const GroupLayout& group = keys.head_groups(head)[static_cast<std::size_t>(meeting.group)];
    room[n++] = form == KeyForm::exact ? keys.exact().tile(stream, group.number())
                                       : packed_tiles(keys, group, stream);
  });
  return std::span(room).first(n);
}

Turn frame_turn(const PackedTensor& keys, int head, CellPlace cell) {
  if (keys.format().frame_cells() == 0) return {};
  return turn_of(keys.format().maps->rotation, keys.place_in_frame(cell, head).position);
}

void encode_queries(const PackedTensor& keys, int head, KeyForm form, const Turn& turn,
                    int first_row, int n_rows, QueryScratch& scratch) {
  const int n_out = keys.head_dim() + (keys.format().frame_cells() > 0 ? n_place_numbers : 0);
  alignas(64) FewQueries room;  // NOLINT(*-member-init): filled as far as read
  queries_into_space(keys.format(), head, turn,
                     {scratch.row(first_row), room.data(), n_rows, n_out},
                     &scratch.lacking[first_row]);
  for (int i = 0; i < n_rows; ++i) {
    std::size_t at = static_cast<std::size_t>(first_row + i) * max_head_groups;
    for_each_meeting(keys, head, form, [&](const Meeting& meeting) {
      if (meeting.bits != 16) {
        int sum = 0;
        scratch.scales[at] = kernels().encode_numbers(
            &room[i * max_query_channels + meeting.number * group_channels],
            &scratch.codes[at * group_channels], sum);
        scratch.offsets[at] =
            -scratch.scales[at] * code_middle(meeting.bits) * static_cast<float>(sum);
      }
      ++at;
    });
  }
}

}  // namespace kvsplit
