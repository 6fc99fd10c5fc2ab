#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/worker.h"
#include "cache/fresh_rows.h"
#include "codec/group_row.h"

namespace kvsplit {

inline constexpr int head_dim_unit = 32;  ///< head sizes are multiples of it
inline constexpr int max_head_dim = 256;

/// Rows of a packed tensor: `kv_size` cells in each of `n_streams` streams. Row number =
/// stream * kv_size + cell, as the host counts them.
struct CellShape {
  std::int64_t kv_size = 0;
  std::int64_t n_streams = 1;

  std::int64_t n_rows() const { return kv_size * n_streams; }
};

/// `place`, so many bytes on: strides are bytes, as the host has them.
template <class T>
const T* bytes_on(const T* place, std::size_t n_bytes) {
  return reinterpret_cast<const T*>(reinterpret_cast<const std::byte*>(place) + n_bytes);
}

/// Rows to be encoded: values [rows.size(), n_channels], `row_stride` bytes from row to row.
struct WriteCall {
  const float* values = nullptr;
  std::size_t row_stride = 0;
  std::span<const std::int64_t> rows;       ///< destination of each; a row may be written again
  const std::int32_t* positions = nullptr;  ///< of each in its text; null: taken for its cell
  const Rotation* rotation = nullptr;       ///< what positions have done to keys; null: not known
  FreshRows* fresh = nullptr;               ///< for the attention of these tokens; or null
  bool edits = false;  ///< rows that were read before and changed: which are exact stays as it is
};

/// Saved rows of zeros are rows that were never written.
inline bool all_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

/// One layer's packed keys or values, in memory that somebody else owns. Where its tiles lie
/// (codec/tile_layout.h) does not depend on the head size, which is only known once the host's
/// first graph is seen: bind_heads() tells it before the first write or attention.
class PackedTensor {
 public:
  /// Exactly the bytes that the constructor's memory must have: nothing is kept beside them but a
  /// few words per group. Zeroed memory is a cache of rows next to zero.
  static std::size_t bytes(const RowFormat& format, CellShape cells);

  /// memory: bytes(format, cells), 64-byte aligned, zeroed by the caller.
  PackedTensor(RowFormat format, Side side, CellShape cells, std::byte* memory);

  /// Sizes of the heads in this tensor, from the first graph. Returns "" or why such heads cannot
  /// be packed (not a multiple of 32, more than 256, does not divide the row).
  std::string bind_heads(int head_dim);
  int head_dim() const { return head_dim_; }  ///< 0 until bound
  int n_heads() const { return head_dim_ ? format_.n_channels() / head_dim_ : 0; }

  const RowFormat& format() const { return format_; }
  Side side() const { return side_; }
  CellShape cells() const { return cells_; }
  std::byte* memory() const { return memory_; }

  /// Encodes rows, each once. All workers of a call make it with the same arguments.
  /// Needs bind_heads().
  void write(const WriteCall& call, Worker worker);

  /// Decodes one row back to n_channels floats, transform undone. Needs bind_heads().
  void read(std::int64_t row, std::span<float> values) const;

  /// A row as saved in sessions: its groups in order, each its codes in channel order (little
  /// endian bit stream) and its scale; with exact rows whether it is one, and if those are saved
  /// its groups as such; and its place in a frame. The same bytes on every machine, head sizes not
  /// needed.
  std::size_t raw_row_bytes() const { return layout_.raw_row_bytes; }
  void read_raw(std::int64_t row, std::span<std::byte> raw) const;
  void write_raw(std::int64_t row, std::span<const std::byte> raw);

  /// All rows of one stream become those of another.
  void copy_stream(std::int64_t from, std::int64_t to);

  /// For attention: the groups of one head, and their tiles in one stream. Needs bind_heads().
  std::span<const GroupLayout> head_groups(int head) const;
  std::byte* tiles(const GroupLayout& group, std::int64_t stream) const;
  const ExactRows& exact() const { return exact_; }

  /// Frames (codec/head_map.h), for each head one that begins with every frame_cells() cells of a
  /// stream, at the position of the row that was last written to its first cell. Those are the same
  /// for all heads, which only workers that write see apart.
  std::int32_t& frame(CellPlace at, int head) const;
  PlaceInFrame place_in_frame(CellPlace at, int head) const;  ///< without frames {}
  /// Rows that the frame of this row holds are as if they stood so much later. For all heads.
  void shift_frame(std::int64_t row, std::int32_t shift);

  void forget_exact() { exact_.forget(); }

 private:
  using Groups = std::span<const GroupLayout>;

  CellPlace place(std::int64_t row) const { return place_of(row, cells_.kv_size); }
  int map_head_dim() const { return format_.maps ? format_.maps->head_dim : head_dim_; }
  using Exact = const ExactPlace&;

  GroupRow group_row(const GroupLayout& group, CellPlace at, Exact exact = {}) const;
  void read_groups(CellPlace at, Exact exact, Groups groups, float* numbers) const;
  void write_groups(CellPlace at, Exact exact, Groups groups, const float* numbers);
  void write_head(CellPlace at, int head, const float* values, Exact exact, Exact fresh = {});
  void make_exact(CellPlace at, Exact exact, Groups groups, int head);
  void make_exact(CellPlace at, Exact exact);
  template <class Visit>
  void for_each_saved(CellPlace at, Exact exact, const Visit& visit) const;
  void read_head(CellPlace at, int head, PlaceInFrame in_frame, Exact exact,
                 std::span<float> values) const;
  bool begins_frame(CellPlace at) const;
  void enter_frame(CellPlace first, int head, std::int32_t position);
  int n_mapped_heads() const { return format_.maps ? std::ssize(format_.maps->heads) : 0; }

  RowFormat format_;
  Side side_;
  CellShape cells_;
  std::byte* memory_;
  TileLayout layout_;
  ExactRows exact_;
  std::int32_t* frames_ = nullptr;  ///< [n_streams, frames of a stream, n_heads]; null: no frames
  int head_dim_ = 0;
};

}  // namespace kvsplit
