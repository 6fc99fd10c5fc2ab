// The same bytes to the kernels of every instruction set: each within the bounds of the contract as
// tests/support/kernel_task.h computes it in double precision, so any two within twice that.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <vector>

#include "kernels/attend.h"
#include "support/kernel_task.h"

namespace {

using kvsplit::KernelTable;
using kvsplit::test::ExpectedRow;
using kvsplit::test::KernelTask;
using kvsplit::test::MaskKind;
using kvsplit::test::SoftmaxState;
using kvsplit::test::TaskShape;

/// The input again and again, so that few bytes make a whole task; each time a little different.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  std::uint8_t next() {
    const std::size_t round = at_ / size_;
    return static_cast<std::uint8_t>(data_[at_++ % size_] ^ (round * 0x9D));
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

std::vector<int> any_widths(Bytes& bytes) {
  constexpr int widths[] = {1, 2, 3, 4, 5, 6, 7, 8, 16};
  std::vector<int> bits(static_cast<std::size_t>(2 * (1 + bytes.next() % 4)));
  for (int& group_bits : bits) group_bits = widths[bytes.next() % std::size(widths)];
  return bits;
}

TaskShape any_shape(Bytes& bytes) {
  TaskShape shape;
  shape.k_bits = any_widths(bytes);
  shape.v_bits = any_widths(bytes);
  shape.n_rows = 1 + bytes.next() % 12;
  shape.n_cells = 1 + bytes.next() % 150;
  shape.mask = static_cast<MaskKind>(bytes.next() % 3);
  shape.loudness = std::exp2(static_cast<float>(bytes.next() % 16) - 6);
  shape.softcap = bytes.next() % 3 == 0 ? 30.0F : 0.0F;
  return shape;
}

bool within(double value, double expected, double bound) {
  return std::fabs(value - expected) <= bound;  // false for NaN
}

bool as_expected(const SoftmaxState& state, int row, const ExpectedRow& expected) {
  const std::size_t dim = expected.out.size();
  const float* const out = state.out.data() + static_cast<std::size_t>(row) * dim;
  const double sum = state.sum(row);
  if (!expected.visible) return state.max[row] == kvsplit::lowest_score && sum == 0;
  if (!within(state.max[row] + std::log2(sum), expected.log2_sum, expected.log2_sum_bound)) {
    return false;
  }
  for (std::size_t c = 0; c < dim; ++c) {
    if (!within(out[c] / sum, expected.out[c], expected.out_bound[c])) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 16) return 0;
  Bytes bytes(data, size);
  const TaskShape shape = any_shape(bytes);
  const KernelTask task(shape, [&bytes] { return bytes.next(); });
  std::vector<ExpectedRow> expected;
  for (int row = 0; row < shape.n_rows; ++row) expected.push_back(task.expected(row));
  for (const KernelTable* const table : kvsplit::all_kernels()) {
    if (!table->supported()) continue;
    const SoftmaxState state = task.attend(*table);
    for (int row = 0; row < shape.n_rows; ++row) {
      if (as_expected(state, row, expected[row])) continue;
      std::fprintf(stderr, "%s: row %d is not what the contract asks for\n", table->name, row);
      std::abort();
    }
  }
  return 0;
}
