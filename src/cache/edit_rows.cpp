#include "cache/edit_rows.h"

#include <algorithm>
#include <vector>

namespace kvsplit {

void edit_rows(PackedTensor& tensor, Worker worker, const std::function<bool(std::int64_t)>& chosen,
               const std::function<void(DecodedRows)>& edit) {
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
      tensor.write({values.data(), n_channels * sizeof(float), rows}, Worker{});
    }
  }
}

}  // namespace kvsplit
