#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace kvsplit {

inline constexpr int tile_rows = 16;       ///< tokens of a tile: the unit in which rows are packed
inline constexpr int block_channels = 16;  ///< channels of a block: the unit in which widths change

/// Keys and values are packed in different orders: keys are scored a tile at a time, values added
/// up.
enum class Side : std::uint8_t { key, value };

/// Some neighbouring channels of a row that share a width and, per token, one scale.
struct Group {
  int n_channels = 32;  ///< a multiple of block_channels
  int bits = 8;         ///< 1 … 8: codes and an f16 scale; 16: the numbers themselves as f16

  bool operator==(const Group&) const = default;
};

/// What is done to each head of a row before it is encoded (and, for keys, to the queries; for
/// values the inverse to the attention's output).
enum class TransformKind : std::uint8_t { identity, hadamard };

/// How a row of K or V (all heads, in order) becomes bits: the list of its groups behind a
/// transform per head.
struct RowFormat {
  std::vector<Group> groups;
  TransformKind transform = TransformKind::identity;

  bool operator==(const RowFormat&) const = default;

  int n_channels() const;
  /// Changes when anything changes that makes stored bytes mean something else. Never 0.
  std::uint64_t fingerprint() const;
};

/// Channels of a group without a calibrated plan: with its f16 scale it costs bits + 0.5 a number.
inline constexpr int uniform_group_channels = 32;

/// Equal groups of 32 channels with `bits` each. n_channels must be a multiple of 32.
RowFormat uniform_format(int n_channels, int bits, TransformKind transform);

}  // namespace kvsplit
