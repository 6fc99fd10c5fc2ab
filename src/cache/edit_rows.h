#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/worker.h"
#include "cache/packed_tensor.h"

namespace kvsplit {

inline constexpr int max_edited_rows = 4 * tile_rows;

/// Some rows of a packed tensor, decoded: values [rows.size(), n_channels].
struct DecodedRows {
  std::span<const std::int64_t> rows;
  float* values;
};

/// Decodes the rows that `chosen` chooses, at most max_edited_rows at a time, lets `edit` change them
/// and encodes them again. The other rows stay as they are, bit by bit. All workers of a call make
/// it with the same arguments; `edit` runs on each of them. Needs bind_heads().
void edit_rows(PackedTensor& tensor, Worker worker, const std::function<bool(std::int64_t)>& chosen,
               const std::function<void(DecodedRows)>& edit);

}  // namespace kvsplit
