#include "support/tensors.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <optional>
#include <random>

#include "cache/plan.h"
#include "support/cache_fixture.h"
#include "support/measure.h"

namespace kvsplit::bench {
namespace {

constexpr CellShape cells{n_cells, 1};

unsigned seed_of(Side side) { return side == Side::key ? 1 : 2; }

void write_random_rows(PackedTensor& tensor) {
  const std::size_t n = static_cast<std::size_t>(n_cells) * tensor.format().n_channels();
  test::write_rows(tensor, test::random_numbers(n, seed_of(tensor.side())),
                   test::consecutive(0, n_cells));
}

}  // namespace

RowFormat uniform(const Model& model, Side side, int bits) {
  Precision precision;
  precision.k_bits = precision.v_bits = bits;
  return plan_format(precision, 0, side, model.n_channels(), false);
}

RowFormat mixed(const Model& model, Side side, int bits) {
  constexpr std::array widths{2, 3, 4, 5, 6, 8};
  std::mt19937 random(seed_of(side));
  const auto draw = [&] { return widths[random() % widths.size()]; };
  RowFormat format = uniform(model, side, bits);
  const int wanted = bits * static_cast<int>(format.group_bits.size());
  for (int& width : format.group_bits) width = draw();
  int sum = std::accumulate(format.group_bits.begin(), format.group_bits.end(), 0);
  // Groups are drawn again, one at a time, where that brings the sum no further away.
  while (sum != wanted) {
    int& width = format.group_bits[random() % format.group_bits.size()];
    const int other = draw();
    const int new_sum = sum - width + other;
    if (std::abs(new_sum - wanted) > std::abs(sum - wanted)) continue;
    width = other;
    sum = new_sum;
  }
  return format;
}

std::size_t bytes_of(const RowFormat& format) { return PackedTensor::bytes(format, cells); }

std::size_t n_copies(std::size_t bytes) { return memory_bytes / bytes + 1; }

Tensors::Tensors(const Model& model, Side side, const RowFormat& format, std::size_t n)
    : model_(model), format_(format) {
  for (std::size_t i = 0; i < n; ++i) {
    const Pages& memory = memory_.emplace_back(bytes_of(format));
    PackedTensor& tensor = tensors_.emplace_back(format, side, cells, memory.data());
    tensor.bind_heads(model.head_dim);
    if (i == 0) {
      write_random_rows(tensor);
    } else {
      std::memcpy(memory.data(), tensors_.front().memory(), memory.size());
    }
  }
}

bool Tensors::has(const Model& model, const RowFormat& format) const {
  return model == model_ && format == format_;
}

const Tensors& tensors_of(const Model& model, Side side, const RowFormat& format, std::size_t n) {
  static std::optional<Tensors> last_keys, last_values;
  std::optional<Tensors>& last = side == Side::key ? last_keys : last_values;
  if (!last || !last->has(model, format) || last->size() != n) last.emplace(model, side, format, n);
  return *last;
}

}  // namespace kvsplit::bench
