#pragma once

#include <atomic>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/worker.h"
#include "codec/group_row.h"
#include "kernels/attend.h"

namespace kvsplit {

/// Where a row lies, as the host counts.
struct CellPlace {
  std::int64_t stream = 0, cell = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes the 0 in it for a pointer
  auto operator<=>(const CellPlace&) const = default;
};

/// How cells are numbered: streams of kv_size, with frames of frame_cells in each; 0: without.
struct Cells {
  std::int64_t kv_size = 0;
  int frame_cells = 0;
};

inline CellPlace place_of(std::int64_t row, std::int64_t kv_size) {
  return {row / kv_size, row % kv_size};
}

/// Where up to 64 rows of 8 bits lie: one tile for each group of 16 channels, behind each other.
struct ExactTile {
  const GroupLayout* layout = nullptr;
  std::byte* first = nullptr;

  std::byte* of(std::size_t group) const { return first + group * layout->tile_bytes; }
  /// As attention takes them.
  GroupTiles tiles(std::size_t group) const {
    return {.tiles = of(group), .bits = layout->bits, .n_blocks = layout->n_blocks};
  }
};

/// A row of 8 bits, in the space in which rows are encoded; in frames, with what is known of the
/// place left in, so that attention meets them in no order of cells.
struct ExactPlace {
  ExactTile tile;
  int slot = -1;  ///< of the tile; -1: there is no such row

  bool exists() const { return slot >= 0; }
  GroupRow row(std::size_t group, Side side) const {
    return {*tile.layout, side, tile.of(group), slot};
  }
};

class FreshRows;

/// Rows that attention sees in 8 bits instead of as packed: the first tokens of each text, which
/// all others look at (attention sinks, arXiv 2309.17453), and those written last, which get most
/// of the rest. They are packed all the same, so that a row which is replaced here needs no work,
/// and one that is not here is no error. With 8 bits, not 16, a saved row has room for both in what
/// the host's own row of 16 bits takes.
///
/// A stream may hold several texts. Its slots are RowFormat::n_sink_slots() for tokens at positions
/// below `sinks`, of which the latest positions make room first, and `window` more for others; the
/// oldest make room. Which rows are here hence depends on the order of writes only, not on threads.
class ExactRows {
 public:
  struct Slot {
    std::int32_t cell = -1;  ///< -1: none
    std::int32_t position = 0;
    std::int32_t since = 0;  ///< how many rows had got slots before; of restored ones below 0
  };

  /// Bytes of all slots; 0 where the format wants none.
  static std::size_t bytes(const RowFormat& format, std::int64_t n_streams);

  /// memory: bytes() of it, zeroed.
  ExactRows(const RowFormat& format, std::int64_t n_streams, std::byte* memory);

  int n_slots() const { return n_sink_slots_ + window_; }
  int n_sink_slots() const { return n_sink_slots_; }
  int sinks() const { return sinks_; }
  int window() const { return window_; }
  std::size_t n_groups() const { return n_groups_; }
  /// Another one after every change of what is exact.
  std::uint64_t version() const { return version_; }
  void changed() { version_.fetch_add(1, std::memory_order_relaxed); }
  std::span<const Slot> slots(std::int64_t stream) const {
    return {slots_.data() + stream * n_slots(), static_cast<std::size_t>(n_slots())};
  }
  /// The slot that the row is in; -1: none.
  int find(CellPlace place) const;

  /// Gives rows that are about to be written their slots. All workers of a write call it and get
  /// the same: a slot for each row, -1 for none. Positions are those in their text; null: as cells.
  /// fresh: keeps what else tokens of this batch will see in 8 bits; or null. std::bad_alloc, to
  /// one worker: the others get no slots at all, and rows stay where find() says.
  std::span<const int> claim(std::span<const std::int64_t> rows, const Cells& cells,
                             const std::int32_t* positions, FreshRows* fresh, Worker worker);
  /// What brings a restored row back to its slot.
  struct [[gnu::packed]] Mark {
    std::uint8_t slot = 0;  ///< and 1; 0: none
    std::int32_t position = 0;
  };
  Mark mark(CellPlace place) const;
  /// The row gets its slot or, if another has that, one of the same kind. Returns it or -1.
  int claim(CellPlace place, Mark mark);

  ExactTile tile(std::int64_t stream) const {
    return {&layout_, memory_ + static_cast<std::size_t>(stream) * stream_bytes()};
  }
  ExactPlace at(std::int64_t stream, int slot) const { return {tile(stream), slot}; }
  std::size_t stream_bytes() const { return n_groups_ * layout_.tile_bytes; }

  void copy_stream(std::int64_t from, std::int64_t to);
  void forget();  ///< all rows

 private:
  void claim_all(std::span<const std::int64_t> rows, const Cells& cells,
                 const std::int32_t* positions, FreshRows* fresh);
  void leave(CellPlace place);
  int put(CellPlace place, std::int32_t position, std::int32_t since, int wanted = -1);
  Slot* slots_of(std::int64_t stream) { return slots_.data() + stream * n_slots(); }

  int sinks_, n_sink_slots_, window_;
  std::size_t n_groups_;
  GroupLayout layout_;
  std::byte* memory_;
  std::vector<Slot> slots_;
  std::int32_t n_claims_ = 0;
  std::atomic<std::uint64_t> version_ = 0;

  /// Workers of a write wait for the first for some nanoseconds: a mutex would put them to sleep,
  /// which costs a token a tenth of its time.
  std::atomic<int> n_arrived_ = 0, n_left_ = 0;
  std::atomic<bool> all_claimed_ = false;
  std::vector<int> claimed_;
};

}  // namespace kvsplit
