#include "cache/edit_rows.h"

#include <algorithm>
#include <numeric>
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

void find_moving_rows(const ShiftOfRow& shift, std::int64_t begin, std::int64_t end,
                      std::vector<std::int64_t>& rows) {
  rows.clear();
  for (std::int64_t row = begin; row < end; ++row) {
    if (shift(row) != 0) rows.push_back(row);
  }
}

}  // namespace

void edit_rows(PackedTensor& tensor, const ShiftOfRow& shift,
               const std::function<void(DecodedRows)>& edit, Worker worker) {
  const auto n_channels = static_cast<std::size_t>(tensor.format().n_channels());
  const CellShape cells = tensor.cells();
  const int frame_cells = tensor.format().frame_cells();
  // Rows of a tile share bytes, and streams begin with a tile: whole tiles, or whole frames, belong
  // to a worker.
  const int piece_cells = std::max(max_edited_rows, frame_cells);
  std::vector<float> values(n_channels * static_cast<std::size_t>(piece_cells));
  std::vector<std::int64_t> rows;
  int piece = 0;
  for (std::int64_t first = 0; first < cells.n_rows(); first += cells.kv_size) {
    for (std::int64_t cell = 0; cell < cells.kv_size; cell += piece_cells) {
      if (piece++ % worker.count != worker.index) continue;
      const std::int64_t begin = first + cell;
      const std::int64_t end = std::min(begin + piece_cells, first + cells.kv_size);
      find_moving_rows(shift, begin, end, rows);
      if (rows.empty()) continue;
      const std::int32_t moved = frame_cells > 0 ? shift(rows.front()) : 0;
      if (moved != 0) {
        rows.resize(static_cast<std::size_t>(end - begin));
        std::iota(rows.begin(), rows.end(), begin);
      }
      for (std::size_t i = 0; i < rows.size(); ++i) {
        tensor.read(rows[i], {values.data() + i * n_channels, n_channels});
      }
      for (std::size_t i = 0; i < rows.size(); i += max_edited_rows) {
        const std::size_t n = std::min<std::size_t>(max_edited_rows, rows.size() - i);
        edit({std::span(rows).subspan(i, n), values.data() + i * n_channels});
      }
      if (moved != 0) tensor.shift_frame(begin, moved);
      tensor.write({.values = values.data(),
                    .row_stride = n_channels * sizeof(float),
                    .rows = rows,
                    .edits = true},
                   Worker{});
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

void encode_parts(PackedTensor& tensor, const HeadParts& parts, const ShiftOfRow& shift,
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
  edit_rows(tensor, shift, put_parts, worker);
}

}  // namespace kvsplit
