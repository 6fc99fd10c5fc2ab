#include "support/half_attention.h"

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "kernels/attend.h"
#include "support/cache_fixture.h"
#include "support/measure.h"
#include "support/tensors.h"

namespace kvsplit::bench {
namespace {

/// What a task's pointers point to.
struct Rows {
  explicit Rows(int n) : n_rows(n), masks(n, nullptr), slopes(n, 1.0F) {
    std::mt19937 random(4);
    for (std::int8_t& code : codes) code = static_cast<std::int8_t>(random() % 255 - 127);
    std::ranges::fill(scales, 1e-3F);
  }
  AttendTask task() {
    AttendTask task;
    task.queries = {n_rows, codes.data(), numbers.data(), scales.data(), offsets.data()};
    task.masks = masks.data();
    task.slopes = slopes.data();
    task.state = {max.data(), sums.data(), out.data()};
    task.scratch = scratch.get();
    task.end_cell = task.fetch_end = n_cells;
    return task;
  }

  static constexpr std::size_t most = max_query_rows;
  int n_rows;
  std::vector<const Half*> masks;
  std::vector<float> slopes;
  std::vector<std::int8_t> codes = std::vector<std::int8_t>(most * max_query_channels);
  std::vector<float> numbers = test::random_numbers(most * max_query_channels, 5);
  std::vector<float> scales = std::vector<float>(most * max_head_groups);
  std::vector<float> offsets = scales;
  std::vector<float> max = std::vector<float>(most, lowest_score);
  std::vector<float> sums = std::vector<float>(most * 16);
  std::vector<float> out = std::vector<float>(most * max_kernel_head_dim);
  // Zeroed: without keys, scores are what lies there.
  std::unique_ptr<KernelScratch> scratch = std::make_unique<KernelScratch>();
};

std::vector<GroupTiles> head_tiles(const PackedTensor& tensor, int head) {
  std::vector<GroupTiles> tiles;
  for (const GroupLayout& group : tensor.head_groups(head)) {
    tiles.push_back({tensor.tiles(group, 0), group.tile_stride, group.bits});
  }
  return tiles;
}

void attend_head(const PackedTensor& tensor, int head, AttendTask task) {
  const std::vector<GroupTiles> groups = head_tiles(tensor, head);
  if (tensor.side() == Side::key) {
    task.k_groups = groups;
  } else {
    task.v_groups = groups;
    task.head_dim_v = tensor.head_dim();
  }
  kernels().attend(task);
}

void add_line(const std::string& what, const Model& model, Side side, int bits, int n_rows) {
  benchmark::RegisterBenchmark(line_name(what, model, std::to_string(bits)).c_str(), half_attention,
                               model, side, bits, n_rows)
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace

void half_attention(benchmark::State& state, const Model& model, Side side, int bits, int n_rows) {
  const RowFormat format = uniform(model, side, bits);
  const Tensors& layers = tensors_of(model, side, format, n_copies(bytes_of(format)));
  Rows rows(n_rows);
  const AttendTask task = rows.task();
  std::size_t layer = 0;
  measure(state, bytes_of(format), [&] {
    for (int head = 0; head < model.n_kv_heads; ++head) attend_head(layers[layer], head, task);
    layer = (layer + 1) % layers.size();
  });
}

void add_half_attention(const std::string& what, Side side) {
  for (const Model& model : models) {
    for (const int bits : {16, 8, 6, 5, 4, 3, 2}) {
      add_line(what, model, side, bits, model.group_size);
      add_line(what + "64", model, side, bits, max_query_rows);
    }
  }
}

}  // namespace kvsplit::bench
