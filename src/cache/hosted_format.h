#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cache/packed_tensor.h"
#include "cache/precision.h"
#include "codec/row_format.h"

namespace kvsplit {

/// A cache tensor as its host, llama.cpp, sees it: rows of some type of its own, its nominal rows.
struct NominalRows {
  std::string name;
  int layer = 0;
  Side side = Side::key;
  std::string type;  ///< "f16", "q8_0" …
  CellShape cells;
  std::int64_t n_channels = 0;  ///< numbers of a row
  std::size_t row_bytes = 0;

  bool quantised() const;
  int bits() const;  ///< of a quantised type; 0: we do not know it as one of caches
  /// Where the type is quantised the host rotates heads itself before it writes them, if their size
  /// is a multiple of 64; a user may have told it not to.
  bool host_rotates() const;
  static bool host_rotates_heads_of(std::int64_t head_dim) { return head_dim % 64 == 0; }

  std::size_t n_numbers() const { return static_cast<std::size_t>(cells.n_rows() * n_channels); }
  std::size_t bytes() const { return row_bytes * static_cast<std::size_t>(cells.n_rows()); }
};

/// Fills name, layer and side if this is what the host calls a cache: cache_k_l<N> or cache_v_l<N>.
std::optional<NominalRows> parse_cache_name(std::string_view name);

/// How its rows are to be kept instead.
struct HostedFormat {
  std::optional<RowFormat> rows;  ///< empty: as they are, for the reason in `note`
  Precision precision;            ///< that `rows` are of, but for what `note` says
  /// Instead of `rows` if the host turns out not to rotate heads of their size; empty where that
  /// makes no difference.
  std::optional<RowFormat> rows_unless_rotated;
  std::string note;  ///< "" or what the user should know
};

/// `chosen`: the precision that the user named; where there is none, quantised nominal types name
/// their bits. A packed row always fits into a nominal one, so that it can travel in its place, and
/// the whole tensor too: rows of a quantised type never get more bits than that has.
HostedFormat choose_format(const NominalRows& nominal, const std::optional<Precision>& chosen);
/// Bytes that the tensor needs. One of a quantised type keeps its nominal size: hosts that speak
/// over RPC insist on that.
std::size_t bytes_needed(const NominalRows& nominal, const std::optional<Precision>& chosen);

}  // namespace kvsplit
