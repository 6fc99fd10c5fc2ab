#include "cache/exact_cells.h"

#include <algorithm>
#include <bit>

namespace kvsplit {

void ExactCells::find(const PackedTensor& k, const PackedTensor& v, std::int64_t stream,
                      std::int64_t n_kv) {
  if (stream_ == stream) return;
  stream_ = stream;
  n_slots_ = std::min(k.exact().n_slots(), v.exact().n_slots());
  slots_ = 0;
  n_hidden_ = 0;
  if (n_slots_ == 0) return;
  const auto k_slots = k.exact().slots(stream);
  const auto v_slots = v.exact().slots(stream);
  for (std::size_t slot = 0; slot < static_cast<std::size_t>(n_slots_); ++slot) {
    const std::int32_t cell = k_slots[slot].cell;
    if (cell != v_slots[slot].cell || cell < 0 || cell >= n_kv) continue;
    cells_[slot] = cell;
    slots_ |= std::uint64_t{1} << slot;
    hide(cell);
  }
}

void ExactCells::hide(std::int64_t cell) {
  const std::uint64_t bit = std::uint64_t{1} << (cell % cells_per_step);
  const std::int64_t tile = cell / cells_per_step;
  const auto known = std::span(hidden_).first(n_hidden_);
  const auto found = std::ranges::find(known, tile, &HiddenCells::tile);
  if (found == known.end()) {
    hidden_[n_hidden_++] = {tile, bit};
  } else {
    found->cells |= bit;
  }
}

std::uint64_t ExactCells::in_one_frame(const PackedTensor& keys, int head,
                                       std::uint64_t slots) const {
  const auto position = [&](std::uint64_t left) {
    return keys.place_in_frame({stream_, cell(std::countr_zero(left))}, head).position;
  };
  const std::int32_t wanted = position(slots);
  std::uint64_t same = 0;
  for (std::uint64_t left = slots; left != 0; left &= left - 1) {
    if (position(left) == wanted) same |= left & -left;
  }
  return same;
}

}  // namespace kvsplit
