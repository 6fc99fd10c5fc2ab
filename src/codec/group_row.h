#pragma once

#include <cstddef>
#include <span>

#include "codec/tile_layout.h"

namespace kvsplit {

/// The 16 numbers of one row in one group: where they lie, row `t` of a tile.
struct GroupRow {
  const GroupLayout& group;
  Side side;
  std::byte* tile;
  int t;

  /// Numbers stored in 16 bits are finite: attention multiplies by 0 what a query does not see, and
  /// an infinity or NaN of one sequence would reach the others.
  void write(std::span<const float> numbers, bool even_scales = false) const;
  void read(std::span<float> numbers) const;
  /// As another row of as many bits, without encoding anything anew.
  void copy(const GroupRow& from) const;
  /// As a saved row has them, cache/packed_tensor.h.
  void save(std::byte* raw) const;
  void restore(const std::byte* raw) const;
  /// Nothing but codes of 0: never written, or cleared.
  bool blank() const;
};

}  // namespace kvsplit
