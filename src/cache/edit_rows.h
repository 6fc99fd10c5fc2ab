#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/worker.h"
#include "cache/packed_tensor.h"

// Working on rows that are packed already. All workers of a call make it with the same arguments;
// the tensor must know its heads (bind_heads()).
namespace kvsplit {

inline constexpr int max_edited_rows = tile_rows;

/// Some rows of a packed tensor, decoded: values [rows.size(), n_channels].
struct DecodedRows {
  std::span<const std::int64_t> rows;
  float* values;
};

using ChooseRow = std::function<bool(std::int64_t row)>;

/// Decodes the rows that are chosen, at most max_edited_rows at a time, lets `edit` change them and
/// encodes them again. The other rows stay as they are, bit by bit. `edit` runs on every worker.
void edit_rows(PackedTensor& tensor, const ChooseRow& chosen,
               const std::function<void(DecodedRows)>& edit, Worker worker);

/// The same channels of each head, of all rows, as numbers elsewhere: [n_rows, n_heads,
/// n_channels], strides in bytes.
struct HeadParts {
  int first_channel = 0, n_channels = 0;  ///< in each head
  std::byte* numbers = nullptr;
  std::size_t row_stride = 0, head_stride = 0;
};

void decode_parts(const PackedTensor& tensor, const HeadParts& parts, Worker worker);
/// The other channels of a head stay, up to what encoding them again changes.
void encode_parts(PackedTensor& tensor, const HeadParts& parts, const ChooseRow& chosen,
                  Worker worker);

}  // namespace kvsplit
