// What it would cost to make the queries of one token anew for every 64 of 8,192 cells: keys that
// are kept as they were before their rotation want queries turned by the distance, behind a matrix
// per KV head. Time is that of a layer, to be put beside attend_bench's Decode. Compiled like the
// rest of this folder, without -march: kernels of an instruction set would take less. Angles are
// given (all layers share them), and rounding the result to codes is not in it. No GB/s here:
// matrices come from the processor's caches, and what counts are products.
#include <benchmark/benchmark.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "kernels/attend.h"
#include "support/cache_fixture.h"
#include "support/models.h"
#include "support/program.h"

namespace kvsplit::bench {
namespace {

constexpr std::size_t n_tiles = n_cells / cells_per_step;
constexpr std::size_t block = 32;  // outputs whose sums stay in registers

struct Angles {
  std::span<const float> cosines, sines;  ///< [head_dim / 2]
};

// Channel i and channel i + half are a pair.
void rotate(std::span<const float> q, const Angles& angles, std::span<float> turned) {
  const std::size_t half = q.size() / 2;
  for (std::size_t i = 0; i < half; ++i) {
    turned[i] = q[i] * angles.cosines[i] - q[i + half] * angles.sines[i];
    turned[i + half] = q[i] * angles.sines[i] + q[i + half] * angles.cosines[i];
  }
}

// out[i] = Σ_j matrix[j, i] · q[j]
void multiply(std::span<const float> matrix, std::span<const float> q, std::span<float> out) {
  const std::size_t dim = q.size();
  for (std::size_t first = 0; first < dim; first += block) {
    std::array<float, block> sums{};
    for (std::size_t j = 0; j < dim; ++j) {
      const float* const row = matrix.data() + j * dim + first;
      for (std::size_t i = 0; i < block; ++i) sums[i] += row[i] * q[j];
    }
    for (std::size_t i = 0; i < block; ++i) out[first + i] = sums[i];
  }
}

/// A token's queries, the matrices of its KV heads, and the angles of all tiles.
struct Token {
  explicit Token(const Model& m)
      : dim(m.head_dim),
        queries(test::random_numbers(m.n_heads() * dim, 1)),
        matrices(test::random_numbers(m.n_kv_heads * dim * dim, 2)),
        cosines(test::random_numbers(n_tiles * dim / 2, 3)),
        sines(cosines) {
    for (float& x : cosines) x = std::cos(x);
    for (float& x : sines) x = std::sin(x);
  }
  std::span<const float> query(std::size_t head) const {
    return std::span(queries).subspan(head * dim, dim);
  }
  std::span<const float> matrix(std::size_t kv_head) const {
    return std::span(matrices).subspan(kv_head * dim * dim, dim * dim);
  }
  Angles angles(std::size_t tile) const {
    const std::size_t half = dim / 2;
    return {std::span(cosines).subspan(tile * half, half),
            std::span(sines).subspan(tile * half, half)};
  }

  std::size_t dim;
  std::vector<float> queries, matrices, cosines, sines;
};

// In attention's order: a KV head's tiles, and per tile the rows of its group.
void transform_queries(benchmark::State& state, const Model& model) {
  const Token token(model);
  std::vector<float> turned(token.dim), out(token.dim);
  for (auto _ : state) {
    for (int head = 0; head < model.n_heads(); head += model.group_size) {
      const auto matrix = token.matrix(head / model.group_size);
      for (std::size_t tile = 0; tile < n_tiles; ++tile) {
        for (int row = head; row < head + model.group_size; ++row) {
          rotate(token.query(row), token.angles(tile), turned);
          multiply(matrix, turned, out);
          benchmark::DoNotOptimize(out.data());
          benchmark::ClobberMemory();
        }
      }
    }
  }
  const auto products = static_cast<double>(model.n_heads() * n_tiles * token.dim * token.dim);
  state.counters["products/s"] =
      benchmark::Counter(products, benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

void register_all() {
  for (const Model& model : models) {
    benchmark::RegisterBenchmark(line_name("TransformQueries", model, "f32").c_str(),
                                 transform_queries, model)
        ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace kvsplit::bench
