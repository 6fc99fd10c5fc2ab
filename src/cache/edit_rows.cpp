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

}  // namespace

void edit_rows(PackedTensor& tensor, const ShiftOfRow& shift, const EditOfRow& edit,
               Worker worker) {
  const auto n_channels = static_cast<std::size_t>(tensor.format().n_channels());
  const CellShape cells = tensor.cells();
  const int frame_cells = tensor.format().frame_cells();
  // Rows of a tile share bytes, and streams begin with a tile: whole tiles, or whole frames, belong
  // to a worker.
  const int piece_cells = std::max(tile_rows, frame_cells);
  const std::int64_t n_pieces = (cells.kv_size + piece_cells - 1) / piece_cells;  // of a stream
  std::vector<float> values(n_channels * piece_cells);
  std::vector<std::int64_t> rows;
  for (std::int64_t piece = worker.index; piece < cells.n_streams * n_pieces;
       piece += worker.count) {
    const std::int64_t first = piece / n_pieces * cells.kv_size;
    const std::int64_t begin = first + piece % n_pieces * piece_cells;
    const std::int64_t end = std::min(begin + piece_cells, first + cells.kv_size);
    rows.clear();
    for (std::int64_t row = begin; row < end; ++row) {
      if (shift(row) != 0) rows.push_back(row);
    }
    if (rows.empty()) continue;
    const std::int32_t moved = frame_cells > 0 ? shift(rows.front()) : 0;
    if (moved != 0) {
      rows.resize(end - begin);
      std::iota(rows.begin(), rows.end(), begin);
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::span<float> row{values.data() + i * n_channels, n_channels};
      tensor.read(rows[i], row);
      edit(rows[i], row);
    }
    if (moved != 0) tensor.shift_frame(begin, moved);
    tensor.write({.values = values.data(),
                  .row_stride = n_channels * sizeof(float),
                  .rows = rows,
                  .edits = true},
                 Worker{});
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
  const auto put_parts = [&](std::int64_t row, std::span<float> values) {
    for_each_head(tensor, parts, row, values.data(), [&](float* here, const float* there) {
      std::copy_n(there, parts.n_channels, here);
    });
  };
  edit_rows(tensor, shift, put_parts, worker);
}

}  // namespace kvsplit
