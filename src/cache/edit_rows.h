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

/// Changes a row of a packed tensor, decoded: values [n_channels].
using EditOfRow = std::function<void(std::int64_t row, std::span<float> values)>;

/// By how many positions a row moves; 0: it stays as it is. Where positions do not matter, any
/// number but 0.
using ShiftOfRow = std::function<std::int32_t(std::int64_t row)>;

/// Decodes the rows that move, lets `edit` change each and encodes them again. The other rows stay
/// as they are, bit by bit; only where a frame moves, as its first row that does, are all rows in
/// it edited. `edit` runs on every worker.
void edit_rows(PackedTensor& tensor, const ShiftOfRow& shift, const EditOfRow& edit, Worker worker);

/// The same channels of each head, of all rows, as numbers elsewhere: [n_rows, n_heads,
/// n_channels], strides in bytes.
struct HeadParts {
  int first_channel = 0, n_channels = 0;  ///< in each head
  std::byte* numbers = nullptr;
  std::size_t row_stride = 0, head_stride = 0;
};

void decode_parts(const PackedTensor& tensor, const HeadParts& parts, Worker worker);
/// The other channels of a head stay, up to what encoding them again changes.
void encode_parts(PackedTensor& tensor, const HeadParts& parts, const ShiftOfRow& shift,
                  Worker worker);

}  // namespace kvsplit
