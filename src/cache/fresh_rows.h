#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cache/exact_rows.h"

namespace kvsplit {

struct AttentionCall;

/// A row that some tokens of a batch see in 8 bits: row `slot` of an ExactTile.
struct ExactRow {
  CellPlace place;
  int tile = 0, slot = 0;
  int first_token = 0, end_token = 0;  ///< which tokens of the stream
  bool sink = false;

  std::int64_t cell() const { return place.cell; }
  bool seen_by(int token) const { return token >= first_token && token < end_token; }
};

/// What the tokens of a batch see in 8 bits: each one the rows that were written last when it was
/// written itself, as if they came one by one. So how a text is cut into batches changes nothing.
/// ExactRows have what is left of that when all of the batch is written; the rest is here, until
/// the next write of any tensor with these FreshRows: attention that follows a write in the
/// host's graph finds it. Rows lie in tiles as their cells do, those of the batch and copies of
/// what was exact before: a token's result must not depend on where a batch begins.
class FreshRows {
 public:
  static constexpr std::size_t most_bytes = std::size_t{4} << 20U;
  static constexpr std::size_t most_rows = 4096;

  explicit FreshRows(Side side);

  /// Before rows get slots, and after. Batches of one token per stream, those too large for the
  /// memory, and those that write a row twice have none.
  void begin(const ExactRows& exact, std::span<const std::int64_t> rows, const Cells& cells,
             const std::int32_t* positions);
  void end(const ExactRows& exact);
  /// Where a row of the batch is to be encoded.
  ExactPlace at(std::size_t row) const;

  /// Whether this is of the last write to them, and of the tokens of this call.
  bool is_of(const ExactRows& exact, const AttentionCall& call) const;
  std::span<const ExactRow> rows() const { return rows_; }
  ExactTile tile(int tile) const;

 private:
  struct Written {
    CellPlace place;
    bool sink;
    int token;  ///< of its stream
    int order;  ///< how many rows that are no sinks its stream has up to this one
  };

  bool take(const ExactRows& exact, std::span<const std::int64_t> rows, const Cells& cells,
            const std::int32_t* positions);
  void take_tiles(const ExactRows& exact);
  void copy_slots(const ExactRows& exact, std::size_t first_row);
  int end_token(std::size_t row, int order) const;
  int tile_of(CellPlace place) const;

  Side side_;
  const ExactRows* exact_ = nullptr;  ///< null: nothing is here
  std::uint64_t version_ = 0;
  Cells cells_;
  std::vector<Written> written_;
  std::vector<ExactRow> rows_;
  std::vector<std::int64_t> sorted_;     ///< numbers of the rows
  std::vector<CellPlace> tiles_;         ///< the first cell of each, rising
  std::unique_ptr<std::byte[]> memory_;  ///< [tiles, groups, bytes of a tile]
};

}  // namespace kvsplit
