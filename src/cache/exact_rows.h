#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codec/group_row.h"
#include "kernels/attend.h"

namespace kvsplit {

/// Where a row lies, as the host counts.
struct CellPlace {
  std::int64_t stream = 0, cell = 0;
};

/// Rows that attention sees as f16 instead of as packed: of every stream the first cells, where
/// tokens lie that all others look at (attention sinks, arXiv 2309.17453), and those written last,
/// which get most of the rest. They are packed all the same, so that a row which is replaced here
/// needs no work, and one that is not here is no error.
///
/// A stream has a slot for each of its first `sinks` cells and `window` more: cell c beyond the
/// sinks may be in slot sinks + (c − sinks) % window alone, and whatever was written there last is.
/// Which rows are here hence depends on the order of writes only, not on threads.
class ExactRows {
 public:
  /// Bytes of all slots; 0 where the format wants none.
  static std::size_t bytes(const RowFormat& format, std::int64_t n_streams);

  /// memory: bytes() of it, zeroed.
  ExactRows(const RowFormat& format, Side side, std::int64_t n_streams, std::byte* memory);

  int n_slots() const { return sinks_ + window_; }
  /// The cells in a stream's slots; -1: none.
  std::span<const std::int32_t> cells(std::int64_t stream) const {
    return {cells_.data() + stream * n_slots(), static_cast<std::size_t>(n_slots())};
  }
  std::size_t n_all_slots() const { return cells_.size(); }  ///< of all streams
  bool has_slot(CellPlace place) const { return window_ > 0 || place.cell < sinks_; }
  /// Of all streams, the number of the slot that the row has.
  std::size_t slot(CellPlace place) const {
    return static_cast<std::size_t>(place.stream * n_slots() + slot_in_stream(place.cell));
  }

  bool holds(CellPlace place) const { return has_slot(place) && cells_[slot(place)] == place.cell; }
  /// The row is what its slot has from now on; its groups have been put or will be.
  void take(CellPlace place) { cells_[slot(place)] = static_cast<std::int32_t>(place.cell); }
  void leave(CellPlace place);  ///< if it is here
  /// The numbered group of a row, in the space in which rows are encoded.
  GroupRow row(CellPlace place, std::size_t group) const;
  /// The slots of a group as attention takes them: one tile.
  GroupTiles tile(std::int64_t stream, std::size_t group) const;

  void copy_stream(std::int64_t from, std::int64_t to);
  void forget();  ///< all rows

 private:
  int slot_in_stream(std::int64_t cell) const {
    return static_cast<int>(cell < sinks_ ? cell : sinks_ + (cell - sinks_) % window_);
  }
  std::byte* tile_of(std::int64_t stream, std::size_t group) const;

  Side side_;
  int sinks_, window_;
  std::size_t n_groups_;
  std::byte* memory_;
  std::vector<std::int32_t> cells_;
};

}  // namespace kvsplit
