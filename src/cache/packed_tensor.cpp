#include "cache/packed_tensor.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

#include "codec/transform.h"

namespace kvsplit {
namespace {

constexpr ExactPlace packed;  // no exact row

std::int64_t tiles_per_stream(CellShape cells) {
  return (cells.kv_size + tile_rows - 1) / tile_rows;
}

TileLayout layout_of(const RowFormat& format, CellShape cells) {
  return tile_layout(format, tiles_per_stream(cells) * cells.n_streams);
}

// How many frames a stream has in all heads.
std::size_t frames_per_stream(const RowFormat& format, CellShape cells) {
  const int n = format.frame_cells();
  return n == 0 ? 0 : (cells.kv_size + n - 1) / n * format.maps->heads.size();
}

}  // namespace

std::size_t PackedTensor::bytes(const RowFormat& format, CellShape cells) {
  return layout_of(format, cells).bytes + ExactRows::bytes(format, cells.n_streams) +
         cells.n_streams * frames_per_stream(format, cells) * sizeof(std::int32_t);
}

PackedTensor::PackedTensor(RowFormat format, Side side, CellShape cells, std::byte* memory)
    : format_(std::move(format)),
      side_(side),
      cells_(cells),
      memory_(memory),
      layout_(layout_of(format_, cells)),
      exact_(format_, cells.n_streams, memory + layout_.bytes) {
  if (format_.frame_cells() == 0) return;
  frames_ = reinterpret_cast<std::int32_t*>(memory + layout_.bytes +
                                            ExactRows::bytes(format_, cells.n_streams));
}

std::string PackedTensor::bind_heads(int head_dim) {
  const std::string size = std::to_string(head_dim);
  const int n_channels = format_.n_channels();
  if (head_dim % head_dim_unit != 0) return "head size " + size + " is not a multiple of 32";
  if (head_dim > max_head_dim) return "head size " + size + " is above 256";
  if (format_.maps && format_.maps->head_dim != head_dim) {
    return "the plan is for heads of " + std::to_string(format_.maps->head_dim) + ", not " + size;
  }
  if (head_dim <= 0 || n_channels % head_dim != 0) {
    return "heads of " + size + " do not divide rows of " + std::to_string(n_channels);
  }
  head_dim_ = head_dim;
  return {};
}

std::span<const GroupLayout> PackedTensor::head_groups(int head) const {
  const auto n = static_cast<std::size_t>(map_head_dim() / group_channels);
  return std::span(layout_.groups).subspan(static_cast<std::size_t>(head) * n, n);
}

std::byte* PackedTensor::tiles(const GroupLayout& group, std::int64_t stream) const {
  return memory_ + group.offset + stream * tiles_per_stream(cells_) * group.tile_stride;
}

// As packed, or as the exact one.
GroupRow PackedTensor::group_row(const GroupLayout& group, CellPlace at, Exact exact) const {
  if (exact.exists()) return exact.row(group.number(), side_);
  const auto tile = static_cast<std::size_t>(at.cell / tile_rows);
  return {group, side_, tiles(group, at.stream) + tile * group.tile_stride,
          static_cast<int>(at.cell % tile_rows)};
}

void PackedTensor::read_groups(CellPlace at, Exact exact, Groups groups, float* numbers) const {
  for (const GroupLayout& group : groups) {
    group_row(group, at, exact).read({numbers, group_channels});
    numbers += group_channels;
  }
}

void PackedTensor::write_groups(CellPlace at, Exact exact, Groups groups, const float* numbers) {
  const bool even_scales = !exact.exists() && format_.even_scales;
  for (const GroupLayout& group : groups) {
    group_row(group, at, exact).write({numbers, group_channels}, even_scales);
    numbers += group_channels;
  }
}

// Of a packed row: some groups, or with a plan those of a head.
void PackedTensor::make_exact(CellPlace at, Exact exact, Groups groups, int head) {
  const auto as_wide = [](const GroupLayout& group) { return group.bits == exact_group.bits; };
  if (format_.frame_cells() == 0 && std::ranges::all_of(groups, as_wide)) {
    for (const GroupLayout& group : groups) {
      exact.row(group.number(), side_).copy(group_row(group, at, packed));
    }
    return;
  }
  std::array<float, max_head_dim> room;  // NOLINT(*-member-init): filled right below
  const std::span<float> numbers = std::span(room).first(groups.size() * group_channels);
  read_groups(at, packed, groups, numbers.data());
  add_place(format_, head, place_in_frame(at, head).cell, 1, numbers);
  write_groups(at, exact, groups, numbers.data());
}

// All of it; without a plan the size of heads need not be known yet.
void PackedTensor::make_exact(CellPlace at, Exact exact) {
  const std::size_t n = format_.maps ? head_groups(0).size() : 1;
  for (std::size_t first = 0; first < layout_.groups.size(); first += n) {
    make_exact(at, exact, Groups(layout_.groups).subspan(first, n), static_cast<int>(first / n));
  }
}

void PackedTensor::write_head(CellPlace at, int head, const float* values, Exact exact,
                              Exact fresh) {
  std::array<float, max_head_dim> room;  // NOLINT(*-member-init): filled right below
  const std::span<float> numbers{room.data(), static_cast<std::size_t>(map_head_dim())};
  std::copy_n(values, numbers.size(), numbers.begin());
  const PlaceInFrame in_frame = place_in_frame(at, head);
  const Groups groups = head_groups(head);
  into_space(format_, head, in_frame.position, numbers);
  for (const ExactPlace* place : {&exact, &fresh}) {
    if (place->exists() && format_.exact_saved) write_groups(at, *place, groups, numbers.data());
  }
  add_place(format_, head, in_frame.cell, -1, numbers);
  write_groups(at, packed, groups, numbers.data());
  for (const ExactPlace* place : {&exact, &fresh}) {
    if (place->exists() && !format_.exact_saved) make_exact(at, *place, groups, head);
  }
}

// What was encoded for this place in a frame; the exact row, if that says more than the packed.
void PackedTensor::read_head(CellPlace at, int head, PlaceInFrame in_frame, Exact exact,
                             std::span<float> values) const {
  const bool says_more = exact.exists() && format_.exact_saved;
  read_groups(at, says_more ? exact : packed, head_groups(head), values.data());
  if (!says_more) add_place(format_, head, in_frame.cell, 1, values);
  out_of_space(format_, head, in_frame.position, values);
}

void PackedTensor::write(const WriteCall& call, Worker worker) {
  assert(head_dim_ > 0);
  // An edit leaves the slots as they are; its workers read them while they write.
  std::span<const int> slots;
  const bool positioned = frames_ != nullptr && call.positions != nullptr && !call.edits;
  if (call.edits) exact_.changed();
  if (!call.edits && exact_.n_slots() > 0) {
    const Cells cells{cells_.kv_size, positioned ? format_.frame_cells() : 0};
    slots = exact_.claim(call.rows, cells, call.positions, call.fresh, worker);
  }
  const bool has_fresh = !slots.empty() && call.fresh != nullptr;
  // Rows of one tile share bytes, and rows of a frame its position, so a tile or a frame of a head
  // belongs to one worker.
  const std::int64_t share = std::max(tile_rows, format_.frame_cells());
  for (std::size_t i = 0; i < call.rows.size(); ++i) {
    const float* values = bytes_on(call.values, i * call.row_stride);
    const CellPlace at = place(call.rows[i]);
    const ExactPlace exact = exact_.at(at.stream, slots.empty() ? exact_.find(at) : slots[i]);
    const ExactPlace fresh = has_fresh ? call.fresh->at(i) : packed;
    for (int head = 0; head < n_heads(); ++head, values += head_dim_) {
      if ((at.stream + at.cell / share + head) % worker.count != worker.index) continue;
      if (positioned && begins_frame(at)) enter_frame(at, head, call.positions[i]);
      write_head(at, head, values, exact, fresh);
    }
  }
}

void PackedTensor::read(std::int64_t row, std::span<float> values) const {
  assert(head_dim_ > 0 && values.size() == static_cast<std::size_t>(format_.n_channels()));
  const CellPlace at = place(row);
  const auto dim = static_cast<std::size_t>(head_dim_);
  const ExactPlace exact = exact_.at(at.stream, exact_.find(at));
  for (int head = 0; head < n_heads(); ++head) {
    read_head(at, head, place_in_frame(at, head), exact,
              values.subspan(static_cast<std::size_t>(head) * dim, dim));
  }
}

std::int32_t& PackedTensor::frame(CellPlace at, int head) const {
  const auto in_stream = static_cast<std::size_t>(at.cell / std::max(format_.frame_cells(), 1));
  return frames_[static_cast<std::size_t>(at.stream) * frames_per_stream(format_, cells_) +
                 in_stream * format_.maps->heads.size() + static_cast<std::size_t>(head)];
}

bool PackedTensor::begins_frame(CellPlace at) const {
  return at.cell % std::max(format_.frame_cells(), 1) == 0;
}

PlaceInFrame PackedTensor::place_in_frame(CellPlace at, int head) const {
  if (frames_ == nullptr) return {};
  return {frame(at, head), static_cast<std::int32_t>(at.cell % format_.frame_cells())};
}

// A frame begins anew at another position. What it holds may still be looked at, as where a host
// uses cells in a ring, so that is encoded again.
void PackedTensor::enter_frame(CellPlace first, int head, std::int32_t position) {
  const std::int32_t old = std::exchange(frame(first, head), position);
  if (old == position) return;
  std::vector<float> values(static_cast<std::size_t>(map_head_dim()));
  const std::int64_t end = std::min(first.cell + format_.frame_cells(), cells_.kv_size);
  for (CellPlace at = first; at.cell < end; ++at.cell) {
    const auto is_blank = [&](const GroupLayout& group) { return group_row(group, at).blank(); };
    if (std::ranges::all_of(head_groups(head), is_blank)) continue;
    const ExactPlace exact = exact_.at(at.stream, exact_.find(at));
    read_head(at, head, {old, static_cast<std::int32_t>(at.cell - first.cell)}, exact, values);
    write_head(at, head, values.data(), exact);
  }
}

void PackedTensor::shift_frame(std::int64_t row, std::int32_t shift) {
  for (int head = 0; head < n_heads(); ++head) frame(place(row), head) += shift;
}

// Calls visit(row of a group, where it is in a saved row): all as packed, and then, if those are
// saved, as the exact row.
template <class Visit>
void PackedTensor::for_each_saved(CellPlace at, Exact exact, const Visit& visit) const {
  for (const GroupLayout& group : layout_.groups) visit(group_row(group, at), group.raw_offset);
  if (!exact.exists() || !format_.exact_saved) return;
  std::size_t offset = layout_.exact_raw_offset + exact_mark_bytes;
  for (const GroupLayout& group : layout_.groups) {
    visit(group_row(group, at, exact), offset);
    offset += exact_group.raw_bytes();
  }
}

void PackedTensor::read_raw(std::int64_t row, std::span<std::byte> raw) const {
  assert(raw.size() == raw_row_bytes());
  const CellPlace at = place(row);
  const ExactRows::Mark mark = exact_.mark(at);
  const PlaceInFrame in_frame = place_in_frame(at, 0);
  static_assert(sizeof(mark) == exact_mark_bytes);
  std::ranges::fill(raw, std::byte{0});
  for_each_saved(
      at, exact_.at(at.stream, mark.slot - 1),
      [&](const GroupRow& group, std::size_t offset) { group.save(raw.data() + offset); });
  if (exact_.n_slots() > 0) std::memcpy(&raw[layout_.exact_raw_offset], &mark, sizeof(mark));
  if (frames_ == nullptr) return;
  std::memcpy(raw.last<sizeof(in_frame)>().data(), &in_frame, sizeof(in_frame));
}

void PackedTensor::write_raw(std::int64_t row, std::span<const std::byte> raw) {
  assert(raw.size() == raw_row_bytes());
  const CellPlace at = place(row);
  ExactRows::Mark mark;
  PlaceInFrame from;
  const bool framed = frames_ != nullptr && !all_zero(raw);
  if (exact_.n_slots() > 0) std::memcpy(&mark, &raw[layout_.exact_raw_offset], sizeof(mark));
  if (framed) std::memcpy(&from, raw.last<sizeof(from)>().data(), sizeof(from));
  for (int head = 0; framed && begins_frame(at) && head < n_mapped_heads(); ++head) {
    enter_frame(at, head, from.position + from.cell);
  }
  const ExactPlace exact = exact_.at(at.stream, exact_.claim(at, mark));
  for_each_saved(at, exact, [&](const GroupRow& group, std::size_t offset) {
    group.restore(raw.data() + offset);
  });
  if (exact.exists() && !format_.exact_saved) make_exact(at, exact);
  std::vector<float> values(static_cast<std::size_t>(map_head_dim()));
  for (int head = 0; framed && head < n_mapped_heads(); ++head) {
    if (place_in_frame(at, head) == from) continue;
    read_head(at, head, from, exact, values);  // and encode it for where it is now
    write_head(at, head, values.data(), exact);
  }
}

void PackedTensor::copy_stream(std::int64_t from, std::int64_t to) {
  if (from == to) return;
  exact_.copy_stream(from, to);
  const std::size_t n_frames = frames_per_stream(format_, cells_);
  if (n_frames > 0) std::copy_n(&frame({from, 0}, 0), n_frames, &frame({to, 0}, 0));
  const auto n_tiles = static_cast<std::size_t>(tiles_per_stream(cells_));
  for (const GroupLayout& group : layout_.groups) {
    for (std::size_t i = 0; i < n_tiles; ++i) {
      const std::size_t at = i * group.tile_stride;
      std::memcpy(tiles(group, to) + at, tiles(group, from) + at, group.tile_bytes);
    }
  }
}

}  // namespace kvsplit
