#include "cache/fresh_rows.h"

#include <algorithm>
#include <cstring>

#include "cache/attention.h"

namespace kvsplit {
namespace {

int slot_of(CellPlace place) { return static_cast<int>(place.cell % tile_rows); }

}  // namespace

FreshRows::FreshRows(Side side)
    : side_(side), memory_(std::make_unique_for_overwrite<std::byte[]>(most_bytes)) {
  written_.reserve(most_rows);
  rows_.reserve(2 * most_rows);
  sorted_.reserve(most_rows);
  tiles_.reserve(2 * most_rows);
}

// Lists the rows of the batch. False: they are not kept here.
bool FreshRows::take(const ExactRows& exact, std::span<const std::int64_t> rows, const Cells& cells,
                     const std::int32_t* positions) {
  if (rows.size() > most_rows || exact.window() == 0) return false;
  sorted_.assign(rows.begin(), rows.end());
  std::ranges::sort(sorted_);
  if (std::ranges::adjacent_find(sorted_) != sorted_.end()) return false;
  int n_streams = 0;
  written_.clear();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const CellPlace place = place_of(rows[i], cells.kv_size);
    const bool sink = (positions == nullptr ? place.cell : positions[i]) < exact.sinks();
    const bool same = i > 0 && written_.back().place.stream == place.stream;
    const Written before = same ? written_.back() : Written{{}, false, -1, 0};
    if (!same) ++n_streams;
    written_.push_back({place, sink, before.token + 1, before.order + (sink ? 0 : 1)});
  }
  if (std::ssize(rows) == n_streams) return false;
  take_tiles(exact);
  return rows.size() + n_streams * exact.n_slots() <= rows_.capacity() &&
         tiles_.size() * exact.n_groups() * exact_group.tile_bytes <= most_bytes;
}

void FreshRows::take_tiles(const ExactRows& exact) {
  tiles_.clear();
  const auto add = [&](CellPlace place) {
    tiles_.push_back({place.stream, place.cell / tile_rows * tile_rows});
  };
  for (const Written& row : written_) {
    add(row.place);
    if (row.token > 0) continue;
    for (const ExactRows::Slot& slot : exact.slots(row.place.stream)) {
      if (slot.cell >= 0) add({row.place.stream, slot.cell});
    }
  }
  std::ranges::sort(tiles_);
  tiles_.erase(std::unique(tiles_.begin(), tiles_.end()), tiles_.end());
}

int FreshRows::tile_of(CellPlace place) const {
  const CellPlace first{place.stream, place.cell / tile_rows * tile_rows};
  return static_cast<int>(std::ranges::lower_bound(tiles_, first) - tiles_.begin());
}

void FreshRows::begin(const ExactRows& exact, std::span<const std::int64_t> rows,
                      const Cells& cells, const std::int32_t* positions) {
  exact_ = nullptr;
  if (!take(exact, rows, cells, positions)) return;
  exact_ = &exact;
  cells_ = cells;
  rows_.clear();
  // What nobody sees must be numbers all the same.
  std::memset(memory_.get(), 0, tiles_.size() * exact.n_groups() * exact_group.tile_bytes);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (written_[i].token == 0) copy_slots(exact, i);
  }
}

// The token of a row's stream from which on so many rows that are no sinks are written; one beyond
// the last: none.
int FreshRows::end_token(std::size_t row, int order) const {
  std::size_t end = row;
  while (end < written_.size() && written_[end].order < order &&
         written_[end].place.stream == written_[row].place.stream) {
    ++end;
  }
  return written_[row].token + static_cast<int>(end - row);
}

// What was exact in the stream of the batch's row; rows of the window until others displace them.
void FreshRows::copy_slots(const ExactRows& exact, std::size_t first_row) {
  const std::int64_t stream = written_[first_row].place.stream;
  const auto slots = exact.slots(stream);
  for (int i = 0; i < exact.n_slots(); ++i) {
    const CellPlace place{stream, slots[i].cell};
    const std::int64_t row = stream * cells_.kv_size + place.cell;
    if (place.cell < 0 || std::ranges::binary_search(sorted_, row)) continue;
    const auto is_later = [&](const ExactRows::Slot& slot) {
      return slot.cell >= 0 && slot.since > slots[i].since;
    };
    const bool sink = i < exact.n_sink_slots();
    const auto n_later = std::ranges::count_if(slots.subspan(exact.n_sink_slots()), is_later);
    const int until = sink ? most_rows : exact.window() - static_cast<int>(n_later);
    rows_.push_back({place, tile_of(place), slot_of(place), 0, end_token(first_row, until), sink});
    const ExactPlace from = exact.at(stream, i);
    const ExactPlace to{tile(tile_of(place)), slot_of(place)};
    for (std::size_t group = 0; group < exact.n_groups(); ++group) {
      to.row(group, side_).copy(from.row(group, side_));
    }
  }
}

// Rows of the batch, first tokens if they have got slots; older ones must still have theirs. Rows
// that lie in a frame when it begins anew are encoded again where they are packed, but not here.
void FreshRows::end(const ExactRows& exact) {
  if (exact_ == nullptr) return;
  version_ = exact.version();
  const auto is_sink = [&](CellPlace place) {
    const int slot = exact.find(place);
    return slot >= 0 && slot < exact.n_sink_slots();
  };
  std::erase_if(rows_, [&](const ExactRow& row) { return row.sink && !is_sink(row.place); });
  for (std::size_t i = 0; i < written_.size(); ++i) {
    const Written& row = written_[i];
    const CellPlace first = row.place;
    if (cells_.frame_cells > 0 && first.cell % cells_.frame_cells == 0) {
      const CellPlace end{first.stream, first.cell + cells_.frame_cells};
      std::erase_if(rows_,
                    [&](const ExactRow& old) { return old.place >= first && old.place < end; });
    }
    if (row.sink && !is_sink(first)) continue;
    const int end = end_token(i, row.sink ? most_rows : row.order + exact.window());
    rows_.push_back({first, tile_of(first), slot_of(first), row.token, end, row.sink});
  }
  std::ranges::sort(rows_, {}, &ExactRow::place);
}

ExactPlace FreshRows::at(std::size_t row) const {
  if (exact_ == nullptr) return {};
  const CellPlace place = written_[row].place;
  return {tile(tile_of(place)), slot_of(place)};
}

bool FreshRows::is_of(const ExactRows& exact, const AttentionCall& call) const {
  if (exact_ != &exact || version_ != exact.version()) return false;
  const auto is_in_turn = [&, i = 0](const Written& row) mutable {
    const int turn = i++;
    return row.place.stream == call.first_stream + turn / call.n_tokens &&
           row.token == turn % call.n_tokens;
  };
  return std::ssize(written_) == std::int64_t{1} * call.n_streams * call.n_tokens &&
         std::ranges::all_of(written_, is_in_turn);
}

ExactTile FreshRows::tile(int tile) const {
  return {&exact_group, memory_.get() + tile * exact_->n_groups() * exact_group.tile_bytes};
}

}  // namespace kvsplit
