// One token's keys or values of one layer become packed bits. Time is that of a token, GB/s are
// those of the packed bytes.
//   encode_bench --benchmark_filter='EncodeKey/.*/4'
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/pages.h"
#include "cache/packed_tensor.h"
#include "support/cache_fixture.h"
#include "support/measure.h"
#include "support/models.h"
#include "support/program.h"
#include "support/tensors.h"

namespace kvsplit::bench {
namespace {

constexpr std::int64_t n_tokens = 64;  // different ones, in turn

void encode(benchmark::State& state, const Model& model, Side side, int bits) {
  const RowFormat format = uniform(model, side, bits);
  const Pages memory(bytes_of(format));
  PackedTensor tensor(format, side, {n_cells, 1}, memory.data());
  tensor.bind_heads(model.head_dim);
  const auto n_channels = static_cast<std::int64_t>(model.n_channels());
  const std::vector<float> values = test::random_numbers(n_tokens * n_channels, 1);
  std::int64_t row = 0;
  measure(state, bytes_of(format) / n_cells, [&] {
    tensor.write({values.data() + row % n_tokens * n_channels, 0, std::span(&row, 1)}, {});
    row = (row + 1) % n_cells;
  });
}

}  // namespace

void register_all() {
  for (const Model& model : models) {
    for (const int bits : {16, 8, 6, 5, 4, 3, 2}) {
      const std::string how = std::to_string(bits);
      benchmark::RegisterBenchmark(line_name("EncodeKey", model, how).c_str(), encode, model,
                                   Side::key, bits);
      benchmark::RegisterBenchmark(line_name("EncodeValue", model, how).c_str(), encode, model,
                                   Side::value, bits);
    }
  }
}

}  // namespace kvsplit::bench
