#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cache/attention.h"
#include "cache/fresh_rows.h"

namespace kvsplit {

/// The rows of one stream that attention sees in 8 bits, on both sides, in the order of cells: what
/// the batch that was just written sees, if it is the one that asks; or else what is exact for all.
class ExactCells {
 public:
  /// A tensor, and what was written last, its rows perhaps.
  struct Side {
    const PackedTensor* tensor = nullptr;
    std::span<const FreshRows> written;
    const FreshRows* fresh = nullptr;  ///< that of its rows; find() looks for it
  };

  ExactCells();

  /// Of a stream, not counted from the call's first one. Needs forget() before another call.
  void find(Side k, Side v, const AttentionCall& call, std::int64_t stream);
  void forget() { stream_ = -1; }
  /// Leaves those that any of these tokens may see.
  void look_at(int first_token, int end_token);

  /// What was left of a range of cells.
  std::span<const ExactRow> within(std::int64_t first_cell, std::int64_t end_cell) const;
  ExactTile k_tile(int tile) const { return tile_of(k_, tile); }
  ExactTile v_tile(int tile) const { return tile_of(v_, tile); }

 private:
  ExactTile tile_of(const Side& side, int tile) const {
    return fresh_ ? side.fresh->tile(tile) : side.tensor->exact().tile(stream_);
  }

  Side k_, v_;
  bool fresh_ = false;
  std::int64_t stream_ = -1;
  std::vector<ExactRow> all_, seen_;
};

}  // namespace kvsplit
