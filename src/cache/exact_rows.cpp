#include "cache/exact_rows.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <new>
#include <thread>
#include <tuple>

#include "cache/fresh_rows.h"

namespace kvsplit {
namespace {

constexpr std::size_t scales_read = tile_rows;  // at once, where a tile has fewer as well

// One tile, of as few blocks of 16 rows as there are slots for.
GroupLayout layout_for(const RowFormat& format) {
  GroupLayout layout = exact_group;
  layout.n_blocks = (format.n_slots() + block_rows - 1) / block_rows;
  layout.tile_bytes = layout.scales_offset() + layout.scale_bytes();
  return layout;
}

}  // namespace

std::size_t ExactRows::bytes(const RowFormat& format, std::int64_t n_streams) {
  if (format.n_slots() == 0) return 0;
  return n_streams * format.group_bits.size() * layout_for(format).tile_bytes + scales_read;
}

ExactRows::ExactRows(const RowFormat& format, std::int64_t n_streams, std::byte* memory)
    : sinks_(format.sinks),
      n_sink_slots_(format.n_sink_slots()),
      window_(format.window),
      n_groups_(format.group_bits.size()),
      layout_(layout_for(format)),
      memory_(memory),
      slots_(static_cast<std::size_t>(n_streams * n_slots())) {}

int ExactRows::find(CellPlace place) const {
  const auto all = slots(place.stream);
  const auto found = std::ranges::find(all, place.cell, &Slot::cell);
  return found == all.end() ? -1 : static_cast<int>(found - all.begin());
}

void ExactRows::leave(CellPlace place) {
  const int slot = find(place);
  if (slot >= 0) slots_of(place.stream)[slot] = {};
}

// For a row that is in none: the slot that is wanted, an empty one, or the one whose row is missed
// least.
int ExactRows::put(CellPlace place, std::int32_t position, std::int32_t since, int wanted) {
  Slot* const first = slots_of(place.stream);
  const bool sink = position < sinks_;
  const std::span<Slot> choice =
      sink ? std::span(first, n_sink_slots_) : std::span(first + n_sink_slots_, window_);
  if (choice.empty()) return -1;
  const auto worth = [&](const Slot& slot) {
    return std::tuple(slot.cell >= 0, &slot - first != wanted, sink ? -slot.position : 0,
                      slot.since);
  };
  const auto slot = std::ranges::min_element(choice, {}, worth);
  *slot = {static_cast<std::int32_t>(place.cell), position, since};
  return static_cast<int>(&*slot - first);
}

ExactRows::Mark ExactRows::mark(CellPlace place) const {
  const int slot = find(place);
  if (slot < 0) return {};
  return {static_cast<std::uint8_t>(slot + 1), slots(place.stream)[slot].position};
}

int ExactRows::claim(CellPlace place, Mark mark) {
  changed();
  leave(place);
  if (mark.slot == 0) return -1;
  // Older than any that will be written, and among themselves as old as their positions say.
  const std::int32_t position =
      mark.position < 0 ? 0 : mark.position;  // a session may say anything
  const std::int32_t since = position - std::numeric_limits<std::int32_t>::max();
  return put(place, position, since, mark.slot - 1);
}

void ExactRows::claim_all(std::span<const std::int64_t> rows, const Cells& cells,
                          const std::int32_t* positions, FreshRows* fresh) {
  changed();
  if (fresh != nullptr) fresh->begin(*this, rows, cells, positions);
  claimed_.clear();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const CellPlace place = place_of(rows[i], cells.kv_size);
    const auto cell = static_cast<std::int32_t>(place.cell);
    leave(place);
    claimed_.push_back(put(place, positions == nullptr ? cell : positions[i], n_claims_++));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const CellPlace place = place_of(rows[i], cells.kv_size);
    if (find(place) != claimed_[i]) claimed_[i] = -1;  // lost to another
  }
  if (fresh != nullptr) fresh->end(*this);
}

std::span<const int> ExactRows::claim(std::span<const std::int64_t> rows, const Cells& cells,
                                      const std::int32_t* positions, FreshRows* fresh,
                                      Worker worker) {
  std::exception_ptr no_memory;
  if (n_arrived_.fetch_add(1) == 0) {
    try {
      claim_all(rows, cells, positions, fresh);
    } catch (const std::bad_alloc&) {  // the others wait all the same
      no_memory = std::current_exception();
      claimed_.clear();
    }
    all_claimed_ = true;
  }
  while (!all_claimed_) std::this_thread::yield();
  if (n_left_.fetch_add(1) + 1 == worker.count) {  // none waits any more
    all_claimed_ = false;
    n_arrived_ = n_left_ = 0;
  }
  if (no_memory) std::rethrow_exception(no_memory);
  return claimed_;
}

void ExactRows::copy_stream(std::int64_t from, std::int64_t to) {
  changed();
  std::copy_n(tile(from).first, stream_bytes(), tile(to).first);
  std::ranges::copy(slots(from), slots_of(to));
}

void ExactRows::forget() {
  changed();
  std::ranges::fill(slots_, Slot{});
}

}  // namespace kvsplit
