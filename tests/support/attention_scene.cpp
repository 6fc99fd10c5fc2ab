#include "support/attention_scene.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "codec/group_codec.h"
#include "codec/transform.h"
#include "support/attention_oracle.h"

namespace kvsplit::test {
namespace {

constexpr double epsilon = 0x1p-24;

RowFormat format_of(const SceneShape& s, Side side) {
  const bool key = side == Side::key;
  const std::optional<RowFormat>& own = key ? s.k_format : s.v_format;
  const int n_channels = s.n_kv_heads * (key ? s.head_dim_k : s.head_dim_v);
  return own ? *own : plan_format(s.precision, 0, side, n_channels, false);
}

/// Largest and mean sizes of what a tensor holds, as decoded.
struct Sizes {
  double largest = 0;        // number
  double largest_level = 0;  // of a coded group, before the transform is undone
  double value_error = 0;    // of integer values in attention
  double largest_norm = 0;   // of a head of a row
  double mean_square = 0;    // of all numbers
};

Sizes sizes_of(const PackedTensor& tensor) {
  Sizes sizes;
  std::vector<float> row(static_cast<std::size_t>(tensor.format().n_channels()));
  std::vector<std::byte> raw(tensor.raw_row_bytes());
  const auto dim = static_cast<std::size_t>(tensor.head_dim());
  const auto n_rows = tensor.cells().n_rows();
  for (std::int64_t i = 0; i < n_rows; ++i) {
    tensor.read(i, row);
    for (std::size_t head = 0; head < row.size(); head += dim) {
      double square = 0;
      for (const float x : std::span(row).subspan(head, dim)) {
        square += double{x} * x;
        sizes.largest = std::max(sizes.largest, std::fabs(double{x}));
      }
      sizes.largest_norm = std::max(sizes.largest_norm, std::sqrt(square));
      sizes.mean_square += square / static_cast<double>(row.size()) / static_cast<double>(n_rows);
    }
    tensor.read_raw(i, raw);
    const auto see = [&](std::size_t scale, int bits) {
      const double level =
          scale_value(std::to_integer<std::uint8_t>(raw[scale]), bits) * code_middle(bits);
      sizes.largest_level = std::max(sizes.largest_level, level);
      // 1.6 of as many integers as there are up to a level whose scale has the mantissa 15/8
      const double n_integers = 240 * code_middle(std::min(bits, 4));
      sizes.value_error = std::max(sizes.value_error, 1.6 * 15 / 8 / n_integers * level);
    };
    const TileLayout layout = tile_layout(tensor.format(), 1);
    for (const GroupLayout& group : layout.groups) {
      if (group.coded()) see(group.raw_offset + group.raw_code_bytes(), group.bits);
      const std::size_t end = layout.exact_raw_offset + exact_mark_bytes +
                              (group.number() + 1) * exact_group.raw_bytes();
      if (tensor.format().exact_saved) see(end - 1, exact_group.bits);
    }
  }
  return sizes;
}

/// Calls visit(query of head_dim_k floats) for each row of a call.
template <typename Visit>
void for_each_query(const Scene& scene, const Visit& visit) {
  const AttentionCall& call = scene.call;
  for (int s = 0; s < call.n_streams; ++s) {
    for (int h = 0; h < call.n_heads; ++h) {
      for (int t = 0; t < call.n_tokens; ++t) {
        const auto* const base = reinterpret_cast<const std::byte*>(call.q);
        const auto* const q = reinterpret_cast<const float*>(
            base + s * call.q_strides.stream + h * call.q_strides.head + t * call.q_strides.token);
        visit(std::span(q, static_cast<std::size_t>(scene.shape.head_dim_k)));
      }
    }
  }
}

double norm(std::span<const float> x) {
  double square = 0;
  for (const float number : x) square += double{number} * number;
  return std::sqrt(square);
}

}  // namespace

Scene::Scene(const SceneShape& s, unsigned seed)
    : shape(s),
      k(format_of(s, Side::key), Side::key, s.cells(), s.head_dim_k),
      v(format_of(s, Side::value), Side::value, s.cells(), s.head_dim_v) {
  const auto rows = consecutive(0, s.cells().n_rows());
  const std::size_t n_heads = rows.size() * s.n_kv_heads;
  write_rows(*k, random_numbers(n_heads * s.head_dim_k, 3 * seed), rows);
  write_rows(*v, random_numbers(n_heads * s.head_dim_v, 3 * seed + 1, 1000), rows);
  const std::size_t n_queries = std::size_t{1} * s.n_streams * s.n_heads() * s.n_tokens;
  q = random_numbers(n_queries * s.head_dim_k, 3 * seed + 2);
  mask.assign(static_cast<std::size_t>(s.n_streams) * s.n_tokens * s.n_kv, float_to_half(0));
  out.assign(n_queries * s.head_dim_v, NAN);
  call.n_heads = s.n_heads();
  call.n_tokens = s.n_tokens;
  call.n_streams = s.n_streams;
  call.n_kv = s.n_kv;
  call.q = q.data();
  call.q_strides.token = s.head_dim_k * sizeof(float);
  call.q_strides.head = call.q_strides.token * s.n_tokens;
  call.q_strides.stream = call.q_strides.head * s.n_heads();
  call.mask = mask.data();
  call.mask_strides.token = s.n_kv * sizeof(Half);
  call.mask_strides.head = call.mask_strides.stream = call.mask_strides.token * s.n_tokens;
  call.mask_streams = s.n_streams;
  call.scale = 1.0F / std::sqrt(static_cast<float>(s.head_dim_k));
  call.out = out.data();
}

void Scene::make_causal() {
  for (int s = 0; s < shape.n_streams; ++s) {
    for (int t = 0; t < shape.n_tokens; ++t) {
      const std::int64_t first_hidden = shape.n_kv - shape.n_tokens + t + 1;
      for (std::int64_t cell = std::max<std::int64_t>(first_hidden, 0); cell < shape.n_kv; ++cell) {
        mask_at(s, t, cell) = half_minus_infinity;
      }
    }
  }
}

void Scene::attend(const PackedTensor& keys, const PackedTensor& values, int n_threads) {
  std::ranges::fill(out, NAN);
  Workspace workspace(n_threads);
  on_threads(n_threads,
             [&](Worker worker) { kvsplit::attend(keys, values, call, workspace, worker); });
}

// Integer weights are off by half of 1/16384 of their step's largest, 64 to a step; whatever a step
// weighs, that is at most 32/16384 of the largest level. Integer values are off by `value_error`.
// Scores are sums of a few rounded products
// per group, of the size of the product and of the codes' middle; an error in them moves each
// weight by as much, and the output by at most twice that times the values.
void Scene::expect_oracle() {
  const auto expected = oracle::attend(*k, *v, call, true);
  const Sizes keys = sizes_of(*k);
  const Sizes values = sizes_of(*v);
  double largest_q = 0;
  for_each_query(*this, [&](auto query) { largest_q = std::max(largest_q, norm(query)); });
  const double size_of_score =
      call.scale * largest_q *
      (16 * keys.largest_norm + 6 * std::sqrt(shape.head_dim_k) * keys.largest_level);
  const double score_error = epsilon * size_of_score + call.softcap * 3e-7;
  const double bound = 33.0 / 16384 * values.largest_level + values.value_error +
                       (2 * score_error + 1e-5) * values.largest;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(out[i], expected[i], bound) << "at " << i << " of " << expected.size();
  }
}

// Rounding adds to each number of a turned query an error of variance step²/12, step = largest /
// 127, and so to each score one of step²/12 · |k|² · scale². The output is a mean of values by
// weights that move by as much: its variance is at most that of a score, times the values'.
void Scene::expect_exact_oracle_within_query_rounding() {
  const auto expected = oracle::attend(*k, *v, call, false);
  double step_squared = 0;
  int n_queries = 0;
  for_each_query(*this, [&](auto query) {
    std::vector<float> turned(query.begin(), query.end());
    transform_head(k->format().transform, turned);
    double largest = 0;
    for (const float x : turned) largest = std::max(largest, std::fabs(double{x}));
    step_squared += largest / 127 * (largest / 127);
    ++n_queries;
  });
  step_squared /= n_queries;
  const double score_variance =
      step_squared / 12 * sizes_of(*k).mean_square * shape.head_dim_k * call.scale * call.scale;
  double mean_square = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    mean_square += std::pow(out[i] - expected[i], 2) / static_cast<double>(expected.size());
  }
  const double values = sizes_of(*v).mean_square;
  const double arithmetic = 1e-3 * std::sqrt(values);  // bounded in expect_oracle
  EXPECT_LE(std::sqrt(mean_square), std::sqrt(score_variance * values) + arithmetic);
}

}  // namespace kvsplit::test
