#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "base/pages.h"
#include "cache/packed_tensor.h"
#include "support/models.h"

namespace kvsplit::bench {

/// The format that a plan of these bits gives.
RowFormat uniform(const Model& model, Side side, int bits);

/// Widths of 2 to 8 bits at random, for each group its own, of as many bytes as a uniform format
/// of `bits` has. The same ones in every run; keys and values differ.
RowFormat mixed(const Model& model, Side side, int bits);

std::size_t bytes_of(const RowFormat& format);  ///< of n_cells rows

/// How many tensors of these bytes it takes to come from memory.
std::size_t n_copies(std::size_t bytes);

/// Equal tensors of n_cells random rows, to be used in turn.
class Tensors {
 public:
  Tensors(const Model& model, Side side, const RowFormat& format, std::size_t n);
  bool has(const Model& model, const RowFormat& format) const;
  std::size_t size() const { return tensors_.size(); }
  const PackedTensor& operator[](std::size_t i) const { return tensors_[i]; }

 private:
  Model model_;
  RowFormat format_;
  std::vector<Pages> memory_;
  std::deque<PackedTensor> tensors_;  ///< which stay where they are
};

/// Valid until the side's next call. Google Benchmark calls a benchmark several times: tensors are
/// made anew only where others are asked for than the last time.
const Tensors& tensors_of(const Model& model, Side side, const RowFormat& format, std::size_t n);

}  // namespace kvsplit::bench
