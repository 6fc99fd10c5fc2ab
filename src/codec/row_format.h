#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "codec/head_map.h"

namespace kvsplit {

inline constexpr int tile_rows = 64;  ///< tokens of a tile: the unit in which rows are packed
inline constexpr int group_channels =
    16;  ///< neighbours that share a width and, per token, a scale

inline constexpr int texts_with_sinks = 5;  ///< in a stream, all of whose first tokens are kept

/// Keys and values are packed in different orders: keys are scored a tile at a time, values added
/// up.
enum class Side : std::uint8_t { key, value };

/// What is done to each head of a row before it is encoded (and, for keys, to the queries; for
/// values the inverse to the attention's output).
enum class TransformKind : std::uint8_t { identity, hadamard };

/// How a row of K or V (all heads, in order) becomes bits: the widths of its groups of 16 channels
/// behind a transform per head. Groups of 16 lose a fifth less than groups of 32 with scales twice
/// as wide, at the same bytes.
struct RowFormat {
  /// 1 … 8: codes and a scale; 16: the numbers themselves as f16; 0: nothing, they count as 0,
  /// which only a head's last groups may.
  std::vector<int> group_bits;
  TransformKind transform = TransformKind::identity;
  /// Only even scale codes, whose lowest bit is then free for a mark (cache/row_image.h).
  bool even_scales = false;
  /// Rows kept in 8 bits beside the packed ones (cache/exact_rows.h): the first of each text in a
  /// stream, and the last of a stream.
  int sinks = 0, window = 0;
  bool exact_saved = false;  ///< those are in sessions too; otherwise they are made of packed ones

  /// In place of the transform, where a plan has them. Sizes of groups are known, so half a byte
  /// does for a scale, unless a text's first tokens, whose keys are far larger, are packed alone.
  std::shared_ptr<const HeadMaps> maps = nullptr;
  bool whole_scales = false;

  bool operator==(const RowFormat&) const = default;

  /// The first tokens of five texts are kept, of twenty if it comes to that with four.
  int n_sink_slots() const { return sinks * texts_with_sinks; }
  int n_slots() const { return n_sink_slots() + window; }
  int frame_cells() const { return maps ? maps->frame_cells : 0; }
  int n_channels() const { return static_cast<int>(group_bits.size()) * group_channels; }
  /// Changes when anything changes that makes stored bytes mean something else. Never 0.
  std::uint64_t fingerprint() const;
};

std::uint64_t fnv1a(std::string_view bytes);

/// Equal groups with `bits` each, which cost bits + 0.5 a number. n_channels must be a multiple of
/// 16.
RowFormat uniform_format(int n_channels, int bits, TransformKind transform);

}  // namespace kvsplit
