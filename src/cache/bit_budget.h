#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "codec/head_map.h"

// How a plan's bits are given to groups of channels: always where the next one saves most.
namespace kvsplit {

/// Groups that share a budget.
struct GroupsOfABudget {
  std::vector<float> variances;
  std::vector<std::size_t> row_of;  ///< each group's
  std::vector<long long> room;      ///< for codes in each row, in bits
  long long left = 0;               ///< of the budget, in bits

  /// Groups of one row, of which each brings 16 · (bits + 0.5). Short scales need exact rows, so no
  /// row may take so many bits that those do not fit into its image; if that holds `usual` bits.
  void add(std::span<const HeadMap> heads, int bits, int usual, bool whole_scales);
};

/// Squared error of a Gaussian of variance 1 in so many bits, as measured; a scale per 16 numbers.
double gaussian_error(int bits);

/// Bits of each group, 0 … 8, so that the sum of their squared errors is least: the next bit always
/// goes where it saves most per bit spent (reverse water-filling; error of b bits: D(b) · σ²). A
/// scale comes with a group's first bit. As a head's variances fall, its groups behind one of 0
/// bits have 0.
std::vector<int> share_bits(GroupsOfABudget groups, bool whole_scales);

}  // namespace kvsplit
