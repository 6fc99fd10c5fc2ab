// Attention of one layer on its packed cache: one token, or a batch of them, against 8,192 cells.
//   attend_bench --benchmark_filter='Decode.*'
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cache/attention.h"
#include "support/cache_fixture.h"
#include "support/measure.h"
#include "support/models.h"
#include "support/planned_format.h"
#include "support/program.h"
#include "support/tensors.h"

namespace kvsplit::bench {
namespace {

/// The queries of the last n_tokens cells, with a causal mask.
struct Batch {
  Batch(const Model& model, int n_tokens)
      : q(test::random_numbers(
            static_cast<std::size_t>(model.n_heads()) * n_tokens * model.head_dim, 3)),
        out(q.size()),
        mask(static_cast<std::size_t>(n_tokens) * n_cells) {
    for (int t = 0; t < n_tokens; ++t) {
      const auto row = mask.begin() + t * n_cells;
      std::fill(row + n_cells - n_tokens + t + 1, row + n_cells, half_minus_infinity);
    }
    call.n_heads = model.n_heads();
    call.n_tokens = n_tokens;
    call.n_kv = n_cells;
    call.q = q.data();
    call.q_strides.token = model.head_dim * sizeof(float);
    call.q_strides.head = call.q_strides.token * n_tokens;
    call.mask = mask.data();
    call.mask_strides.token = n_cells * sizeof(Half);
    call.scale = 1.0F / std::sqrt(static_cast<float>(model.head_dim));
    call.out = out.data();
  }

  std::vector<float> q, out;
  std::vector<Half> mask;
  AttentionCall call;
};

void attend(benchmark::State& state, const Model& model, const RowFormat& k_format,
            const RowFormat& v_format, int n_tokens) {
  const std::size_t bytes = bytes_of(k_format) + bytes_of(v_format);
  const std::size_t n_layers = n_copies(bytes);
  const Tensors& k = tensors_of(model, Side::key, k_format, n_layers);
  const Tensors& v = tensors_of(model, Side::value, v_format, n_layers);
  const Batch batch(model, n_tokens);
  Workspace workspace(1);
  std::size_t layer = 0;
  measure(state, bytes, [&] {
    kvsplit::attend(k[layer], v[layer], batch.call, workspace, {});
    layer = (layer + 1) % n_layers;
  });
}

void add(const Model& model, const std::string& how, const RowFormat& k, const RowFormat& v) {
  // By format, then by batch: tensors are kept from one line to the next.
  for (const auto& [what, n_tokens] :
       {std::pair{"Decode", 1}, {"Prompt64", 64}, {"Prompt512", 512}}) {
    benchmark::RegisterBenchmark(line_name(what, model, how).c_str(), attend, model, k, v, n_tokens)
        ->Unit(n_tokens == 1 ? benchmark::kMicrosecond : benchmark::kMillisecond);
  }
}

void add_uniform(const Model& model, int k_bits, int v_bits) {
  add(model, "K" + std::to_string(k_bits) + "V" + std::to_string(v_bits),
      uniform(model, Side::key, k_bits), uniform(model, Side::value, v_bits));
}

// Beside the uniform format of as many bytes: the ratio is what mixing costs.
void add_mixed(const Model& model, int bits) {
  add_uniform(model, bits, bits);
  add(model, "mixed" + std::to_string(bits), mixed(model, Side::key, bits),
      mixed(model, Side::value, bits));
}

// With a plan whose groups are all of these bits: short scales, and for keys frames of 256 cells.
void add_planned(const Model& model, int bits) {
  test::PlannedShape shape{.head_dim = model.head_dim, .n_heads = model.n_kv_heads, .bits = bits};
  const RowFormat values = test::planned_format(shape);
  shape.frame_cells = 256;
  add(model, "planned" + std::to_string(bits), test::planned_format(shape), values);
}

}  // namespace

void register_all() {
  constexpr std::pair<int, int> pairs[] = {{16, 16}, {8, 8}, {8, 4}, {4, 8},
                                           {5, 5},   {3, 3}, {2, 2}};
  for (const Model& model : models) {
    for (const auto& [k_bits, v_bits] : pairs) add_uniform(model, k_bits, v_bits);
    for (const int bits : {6, 4}) add_mixed(model, bits);
    add_planned(model, 4);
  }
}

}  // namespace kvsplit::bench
