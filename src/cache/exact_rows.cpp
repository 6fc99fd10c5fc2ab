#include "cache/exact_rows.h"

#include <algorithm>

namespace kvsplit {
namespace {

constexpr GroupLayout exact_group{.bits = 16};

// Slots are rounded up to whole blocks of 16 rows.
std::size_t group_bytes(int n_slots) {
  return static_cast<std::size_t>((n_slots + block_rows - 1) / block_rows) * block_bytes(16);
}

}  // namespace

std::size_t ExactRows::bytes(const RowFormat& format, std::int64_t n_streams) {
  return static_cast<std::size_t>(n_streams) * format.group_bits.size() *
         group_bytes(format.sinks + format.window);
}

ExactRows::ExactRows(const RowFormat& format, Side side, std::int64_t n_streams, std::byte* memory)
    : side_(side),
      sinks_(format.sinks),
      window_(format.window),
      n_groups_(format.group_bits.size()),
      memory_(memory),
      cells_(static_cast<std::size_t>(n_streams * n_slots()), -1) {}

std::byte* ExactRows::tile_of(std::int64_t stream, std::size_t group) const {
  return memory_ + (static_cast<std::size_t>(stream) * n_groups_ + group) * group_bytes(n_slots());
}

void ExactRows::leave(CellPlace place) {
  if (holds(place)) cells_[slot(place)] = -1;
}

GroupRow ExactRows::row(CellPlace place, std::size_t group) const {
  return {exact_group, side_, tile_of(place.stream, group), slot_in_stream(place.cell)};
}

GroupTiles ExactRows::tile(std::int64_t stream, std::size_t group) const {
  return {tile_of(stream, group), 0, 16};
}

void ExactRows::copy_stream(std::int64_t from, std::int64_t to) {
  std::copy_n(tile_of(from, 0), n_groups_ * group_bytes(n_slots()), tile_of(to, 0));
  std::ranges::copy(cells(from), cells_.begin() + to * n_slots());
}

void ExactRows::forget() { std::ranges::fill(cells_, -1); }

}  // namespace kvsplit
