#include "cache/edit_rows.h"

#include <algorithm>
#include <vector>

namespace kvsplit {
namespace {

// Calls copy(here, there) for each head of a decoded row and its part elsewhere.
template <class Copy>
void for_each_head(const PackedTensor& tensor, const HeadParts& parts, std::int64_t row,
                   float* values, const Copy& copy) {
  std::byte* const there = parts.numbers + static_cast<std::size_t>(row) * parts.row_stride;
  for (int head = 0; head < tensor.n_heads(); ++head) {
    copy(values + static_cast<std::ptrdiff_t>(head) * tensor.head_dim() + parts.first_channel,
         reinterpret_cast<float*>(there + static_cast<std::size_t>(head) * parts.head_stride));
  }
}

}  // namespace

void edit_rows(PackedTensor& tensor, const ChooseRow& chosen,
               const std::function<void(DecodedRows)>& edit, Worker worker) {
  const auto n_channels = static_cast<std::size_t>(tensor.format().n_channels());
  const CellShape cells = tensor.cells();
  std::vector<float> values(n_channels * max_edited_rows);
  std::vector<std::int64_t> rows;
  // Rows of one tile share bytes, and streams begin with a tile: whole tiles belong to a worker.
  int piece = 0;
  for (std::int64_t stream = 0; stream < cells.n_streams; ++stream) {
    for (std::int64_t cell = 0; cell < cells.kv_size; cell += max_edited_rows) {
      if (piece++ % worker.count != worker.index) continue;
      rows.clear();
      const std::int64_t end = std::min<std::int64_t>(cell + max_edited_rows, cells.kv_size);
      for (std::int64_t i = cell; i < end; ++i) {
        const std::int64_t row = stream * cells.kv_size + i;
        if (!chosen(row)) continue;
        tensor.read(row, std::span(values).subspan(rows.size() * n_channels, n_channels));
        rows.push_back(row);
      }
      if (rows.empty()) continue;
      edit({rows, values.data()});
      tensor.write({values.data(), n_channels * sizeof(float), rows, true}, Worker{});
    }
  }
}

void decode_parts(const PackedTensor& tensor, const HeadParts& parts, Worker worker) {
  std::vector<float> values(static_cast<std::size_t>(tensor.format().n_channels()));
  for (std::int64_t row = worker.index; row < tensor.cells().n_rows(); row += worker.count) {
    tensor.read(row, values);
    for_each_head(tensor, parts, row, values.data(), [&](const float* here, float* there) {
      std::copy_n(here, parts.n_channels, there);
    });
  }
}

void encode_parts(PackedTensor& tensor, const HeadParts& parts, const ChooseRow& chosen,
                  Worker worker) {
  const auto put_parts = [&](DecodedRows decoded) {
    float* values = decoded.values;
    for (const std::int64_t row : decoded.rows) {
      for_each_head(tensor, parts, row, values, [&](float* here, const float* there) {
        std::copy_n(there, parts.n_channels, here);
      });
      values += tensor.format().n_channels();
    }
  };
  edit_rows(tensor, chosen, put_parts, worker);
}

}  // namespace kvsplit
