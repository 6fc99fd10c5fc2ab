#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "cache/packed_tensor.h"
#include "kernels/attend.h"

namespace kvsplit {

/// The cells of one stream whose rows attention sees in 8 bits, on both sides; what is packed of
/// these is hidden. Sets of slots are bits: there are at most 64.
class ExactCells {
 public:
  /// Of the first n_kv cells of a stream. Needs forget() before a call whose slots may be others.
  void find(const PackedTensor& k, const PackedTensor& v, std::int64_t stream, std::int64_t n_kv);
  void forget() { stream_ = -1; }

  int n_slots() const { return n_slots_; }
  std::uint64_t slots() const { return slots_; }  ///< that have a cell
  std::int32_t cell(int slot) const { return cells_[static_cast<std::size_t>(slot)]; }
  std::span<const HiddenCells> hidden() const { return {hidden_.data(), n_hidden_}; }

  /// Those of the slots whose keys are of the same frame as the first one's.
  std::uint64_t in_one_frame(const PackedTensor& keys, int head, std::uint64_t slots) const;

 private:
  void hide(std::int64_t cell);

  std::int64_t stream_ = -1;
  int n_slots_ = 0;
  std::uint64_t slots_ = 0;
  std::array<std::int32_t, cells_per_step> cells_{};
  std::array<HiddenCells, cells_per_step> hidden_{};
  std::size_t n_hidden_ = 0;
};

}  // namespace kvsplit
