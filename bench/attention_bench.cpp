// Attention on one layer's packed cache, and encoding, alone. One thread: GB/s are those of a core.
//   attention_bench --benchmark_filter='Decode.*'
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cache/attention.h"
#include "cache/plan.h"
#include "kernels/attend.h"
#include "support/cache_fixture.h"

namespace kvsplit {
namespace {

struct Model {
  const char* name;
  int head_dim, n_kv_heads, group_size;
};

constexpr Model models[] = {{"3x64_group3", 64, 3, 3},
                            {"8x128_group4", 128, 8, 4},
                            {"1x256_group4", 256, 1, 4},
                            {"2x64_group7", 64, 2, 7}};

constexpr std::int64_t n_cells = 8192;

struct Layer {
  Layer(const Model& m, int k_bits, int v_bits)
      : model(m),
        k(format(m, Side::key, k_bits), Side::key, {n_cells, 1}, m.head_dim),
        v(format(m, Side::value, v_bits), Side::value, {n_cells, 1}, m.head_dim),
        values(test::random_numbers(static_cast<std::size_t>(n_cells) * m.n_kv_heads * m.head_dim,
                                    1)) {
    const auto rows = test::consecutive(0, n_cells);
    test::write_rows(*k, values, rows);
    test::write_rows(*v, values, rows);
  }

  static RowFormat format(const Model& m, Side side, int bits) {
    Precision precision;
    precision.k_bits = precision.v_bits = bits;
    return Plan(precision).format(0, side, m.n_kv_heads * m.head_dim, false);
  }

  std::size_t bytes() const {
    return PackedTensor::bytes(k_tensor().format(), {n_cells, 1}) +
           PackedTensor::bytes(v_tensor().format(), {n_cells, 1});
  }
  const PackedTensor& k_tensor() const { return *const_cast<Layer*>(this)->k; }
  const PackedTensor& v_tensor() const { return *const_cast<Layer*>(this)->v; }

  Model model;
  test::OwnedTensor k, v;
  std::vector<float> values;
};

AttentionCall make_call(const Layer& layer, int n_tokens, std::vector<float>& q,
                        std::vector<Half>& mask, std::vector<float>& out) {
  const Model& m = layer.model;
  const int n_heads = m.n_kv_heads * m.group_size;
  q = test::random_numbers(static_cast<std::size_t>(n_heads) * n_tokens * m.head_dim, 2);
  out.resize(q.size());
  mask.assign(static_cast<std::size_t>(n_tokens) * n_cells, 0);
  for (int t = 0; t < n_tokens; ++t) {
    for (std::int64_t c = n_cells - n_tokens + t + 1; c < n_cells; ++c) {
      mask[static_cast<std::size_t>(t) * n_cells + c] = half_minus_infinity;
    }
  }
  AttentionCall call;
  call.n_heads = n_heads;
  call.n_tokens = n_tokens;
  call.n_kv = n_cells;
  call.q = q.data();
  call.q_token_stride = m.head_dim * sizeof(float);
  call.q_head_stride = call.q_token_stride * n_tokens;
  call.mask = mask.data();
  call.mask_token_stride = n_cells * sizeof(Half);
  call.scale = 1.0F / std::sqrt(static_cast<float>(m.head_dim));
  call.out = out.data();
  return call;
}

/// As many equal layers as it takes to come from memory and not from a processor's cache.
class Layers {
 public:
  Layers(const Layer& layer, std::size_t wanted_bytes) {
    const std::size_t n = wanted_bytes / layer.bytes() + 1;
    for (std::size_t i = 0; i < n; ++i) {
      k_.push_back(copy(layer.k_tensor()));
      v_.push_back(copy(layer.v_tensor()));
    }
  }
  std::size_t size() const { return k_.size(); }
  const PackedTensor& k(std::size_t i) { return **k_[i]; }
  const PackedTensor& v(std::size_t i) { return **v_[i]; }

 private:
  static std::unique_ptr<test::OwnedTensor> copy(const PackedTensor& tensor) {
    auto result = std::make_unique<test::OwnedTensor>(tensor.format(), tensor.side(),
                                                      tensor.cells(), tensor.head_dim());
    std::memcpy((*result)->memory(), tensor.memory(),
                PackedTensor::bytes(tensor.format(), tensor.cells()));
    return result;
  }
  std::vector<std::unique_ptr<test::OwnedTensor>> k_, v_;
};

void attend(benchmark::State& state, const Model& model, int k_bits, int v_bits, int n_tokens) {
  const Layer layer(model, k_bits, v_bits);
  std::vector<float> q, out;
  std::vector<Half> mask;
  const AttentionCall call = make_call(layer, n_tokens, q, mask, out);
  Workspace workspace(1);
  Layers layers(layer, n_tokens == 1 ? std::size_t{80} << 20U : 1);
  std::size_t next = 0;
  for (auto _ : state) {
    kvsplit::attend(layers.k(next), layers.v(next), call, workspace, {});
    next = (next + 1) % layers.size();
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(layer.bytes()) * state.iterations());
  state.counters["query_cells/s"] =
      benchmark::Counter(static_cast<double>(call.n_heads) * n_tokens * n_cells,
                         benchmark::Counter::kIsIterationInvariantRate);
  state.SetLabel(kernels().name);
}

void encode(benchmark::State& state, const Model& model, Side side, int bits) {
  Layer layer(model, bits, bits);
  PackedTensor& tensor = side == Side::key ? *layer.k : *layer.v;
  const std::vector<std::int64_t> rows{100};
  const WriteCall call{layer.values.data(), 0, rows};
  for (auto _ : state) tensor.write(call, {});
  state.SetItemsProcessed(state.iterations() * model.n_kv_heads * model.head_dim);
}

void read_memory(benchmark::State& state) {
  const std::vector<std::uint64_t> memory(std::size_t{64} << 20U, 1);
  for (auto _ : state) {
    std::uint64_t sums[8] = {};
    for (std::size_t i = 0; i < memory.size(); i += 8) {
      for (std::size_t j = 0; j < 8; ++j) sums[j] += memory[i + j];
    }
    benchmark::DoNotOptimize(sums);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(memory.size() * 8) * state.iterations());
}

void register_all() {
  benchmark::RegisterBenchmark("ReadMemory", read_memory)->Unit(benchmark::kMillisecond);
  const std::pair<int, int> pairs[] = {{16, 16}, {8, 8}, {8, 4}, {6, 6}, {5, 5},
                                       {4, 4},   {3, 3}, {2, 2}, {4, 8}};
  for (const Model& model : models) {
    for (const auto& [k_bits, v_bits] : pairs) {
      const std::string name =
          std::string(model.name) + "/K" + std::to_string(k_bits) + "V" + std::to_string(v_bits);
      benchmark::RegisterBenchmark(("Decode/" + name).c_str(), attend, model, k_bits, v_bits, 1)
          ->Unit(benchmark::kMicrosecond);
      benchmark::RegisterBenchmark(("Prompt64/" + name).c_str(), attend, model, k_bits, v_bits, 64)
          ->Unit(benchmark::kMillisecond);
    }
    for (const int bits : {16, 8, 6, 5, 4, 3, 2}) {
      benchmark::RegisterBenchmark(
          ("EncodeKey/" + std::string(model.name) + "/" + std::to_string(bits)).c_str(), encode,
          model, Side::key, bits);
      benchmark::RegisterBenchmark(
          ("EncodeValue/" + std::string(model.name) + "/" + std::to_string(bits)).c_str(), encode,
          model, Side::value, bits);
    }
  }
}

}  // namespace
}  // namespace kvsplit

int main(int argc, char** argv) {
  kvsplit::register_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
