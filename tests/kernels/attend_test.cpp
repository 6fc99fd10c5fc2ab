#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "kernels/attend.h"
#include "support/kernel_task.h"

// Every instruction set of this processor against the contract of attend.h, computed in double
// precision from the same bytes, and against the scalar one.
namespace kvsplit {
namespace {

using test::ExpectedRow;
using test::KernelTask;
using test::MaskKind;
using test::SoftmaxState;
using test::TaskShape;

constexpr int widths[] = {1, 2, 3, 4, 5, 6, 7, 8, 16};

std::vector<const KernelTable*> supported_kernels() {
  std::vector<const KernelTable*> tables;
  for (const KernelTable* const table : all_kernels()) {
    if (table->supported()) tables.push_back(table);
  }
  return tables;
}

const KernelTable& scalar_kernels() { return *all_kernels().back(); }

std::vector<int> uniform(int head_dim, int bits) {
  return std::vector<int>(static_cast<std::size_t>(head_dim / 16), bits);
}

/// Widths in no order, as in a calibrated plan.
std::vector<int> mixed(int head_dim, std::mt19937& random) {
  std::vector<int> bits(static_cast<std::size_t>(head_dim / 16));
  for (int& group_bits : bits) group_bits = widths[random() % std::size(widths)];
  return bits;
}

void expect_contract(const KernelTask& task, const KernelTable& table) {
  SCOPED_TRACE(table.name);
  const SoftmaxState state = task.attend(table);
  const SoftmaxState scalar = task.attend(scalar_kernels());
  for (int row = 0; row < task.shape().n_rows; ++row) {
    const ExpectedRow expected = task.expected(row);
    const std::size_t dim = expected.out.size();
    const float* const out = state.out.data() + static_cast<std::size_t>(row) * dim;
    const float* const scalar_out = scalar.out.data() + static_cast<std::size_t>(row) * dim;
    const double sum = state.sum(row);
    if (!expected.visible) {
      ASSERT_EQ(state.max[row], lowest_score) << "row " << row;
      ASSERT_EQ(sum, 0);
      for (std::size_t c = 0; c < dim; ++c) ASSERT_EQ(out[c], 0);
      continue;
    }
    ASSERT_NEAR(state.max[row] + std::log2(sum), expected.log2_sum, expected.log2_sum_bound)
        << "row " << row;
    for (std::size_t c = 0; c < dim; ++c) {
      const double bound = expected.out_bound[c];
      ASSERT_NEAR(out[c] / sum, expected.out[c], bound) << "row " << row << ", channel " << c;
      ASSERT_NEAR(out[c] / sum, scalar_out[c] / scalar.sum(row), 2 * bound) << "row " << row;
    }
  }
}

void expect_contract_of_all(const TaskShape& shape, unsigned seed) {
  const KernelTask task(shape, seed);
  for (const KernelTable* const table : supported_kernels()) expect_contract(task, *table);
}

TEST(Kernels, TheLastIsTheScalarOneThatRunsEverywhere) {
  EXPECT_STREQ(scalar_kernels().name, "scalar");
  EXPECT_TRUE(scalar_kernels().supported());
}

TEST(Kernels, EveryPairOfWidthsIsTheFormula) {
  for (const int k_bits : widths) {
    for (const int v_bits : widths) {
      SCOPED_TRACE("K" + std::to_string(k_bits) + "V" + std::to_string(v_bits));
      expect_contract_of_all({uniform(64, k_bits), uniform(64, v_bits), 3, 100}, 1);
    }
  }
}

TEST(Kernels, GroupsOfAnyWidthsSideBySide) {
  std::mt19937 random(2);
  for (int round = 0; round < 40; ++round) {
    const int dim_k = 32 * static_cast<int>(1 + random() % 8);
    const int dim_v = 32 * static_cast<int>(1 + random() % 8);
    SCOPED_TRACE("round " + std::to_string(round));
    TaskShape shape{mixed(dim_k, random), mixed(dim_v, random)};
    shape.n_rows = static_cast<int>(1 + random() % 5);
    shape.n_cells = static_cast<std::int64_t>(1 + random() % 200);
    shape.mask = static_cast<MaskKind>(random() % 3);
    expect_contract_of_all(shape, static_cast<unsigned>(round));
  }
}

TEST(Kernels, FirstGroupsMeetSixteenBitsOfTheQueries) {
  std::mt19937 random(3);
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    TaskShape shape{uniform(64, 4), mixed(64, random)};
    for (int& bits : shape.k_bits) bits = static_cast<int>(1 + random() % 8);
    shape.n_fine = 1 + random() % shape.k_bits.size();
    shape.n_rows = static_cast<int>(1 + random() % 9);
    shape.n_cells = static_cast<std::int64_t>(1 + random() % 200);
    expect_contract_of_all(shape, static_cast<unsigned>(round));
  }
}

TEST(Kernels, EncodedNumbersAreWithinTheStatedBound) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  for (const KernelTable* const table : supported_kernels()) {
    SCOPED_TRACE(table->name);
    for (const bool fine : {false, true}) {
      alignas(64) float numbers[16];
      for (float& x : numbers) x = normal(random);
      std::int8_t codes[16];
      std::int8_t low_codes[16] = {};
      int sum = 0;
      const float scale = table->encode_numbers(numbers, codes, fine ? low_codes : nullptr, sum);
      float most = 0;
      for (const float x : numbers) most = std::max(most, std::fabs(x));
      for (int i = 0; i < 16; ++i) {
        const int code = fine ? 256 * codes[i] + low_codes[i] : codes[i];
        EXPECT_NEAR(static_cast<float>(code) * scale, numbers[i],
                    most * (1 + 1e-3F) / (fine ? 65278 : 254));
        sum -= code;
      }
      EXPECT_EQ(sum, 0);
    }
  }
}

TEST(Kernels, EveryHeadSize) {
  for (int head_dim = 32; head_dim <= max_kernel_head_dim; head_dim += 32) {
    SCOPED_TRACE(head_dim);
    expect_contract_of_all({uniform(head_dim, 8), uniform(head_dim, 4), 2, 70}, 3);
    expect_contract_of_all({uniform(head_dim, 3), uniform(head_dim, 16), 2, 70}, 4);
  }
}

TEST(Kernels, EveryNumberOfRows) {
  for (int n_rows = 1; n_rows <= max_query_rows; ++n_rows) {
    SCOPED_TRACE(n_rows);
    TaskShape shape{uniform(32, 6), uniform(32, 5), n_rows, 66};
    shape.mask = n_rows % 2 == 0 ? MaskKind::none : MaskKind::holes;
    expect_contract_of_all(shape, static_cast<unsigned>(n_rows));
  }
}

TEST(Kernels, EveryNumberOfCells) {
  for (std::int64_t n_cells = 1; n_cells <= 130; ++n_cells) {
    SCOPED_TRACE(n_cells);
    TaskShape shape{uniform(32, 4), uniform(32, 7), 4, n_cells};
    shape.mask = static_cast<MaskKind>(n_cells % 3);
    expect_contract_of_all(shape, static_cast<unsigned>(n_cells));
  }
}

TEST(Kernels, PeakedAndFlatScoresWithAndWithoutACap) {
  for (const float loudness : {0.0F, 0.01F, 10.0F, 100.0F, 1000.0F}) {
    for (const float softcap : {0.0F, 1.4F, 72.0F}) {
      for (const MaskKind mask : {MaskKind::none, MaskKind::holes, MaskKind::bias}) {
        SCOPED_TRACE(::testing::Message() << "loudness " << loudness << ", cap " << softcap);
        TaskShape shape{uniform(64, 8), uniform(64, 4), 8, 200, mask, loudness, softcap};
        expect_contract_of_all(shape, 6);
      }
    }
  }
}

/// A task of every kind of group, with rows and cells in odd numbers.
TaskShape odd_shape(MaskKind mask) {
  std::mt19937 random(7);
  return {mixed(128, random), mixed(96, random), 37, 333, mask};
}

TEST(Kernels, ATaskMayBeContinued) {
  for (const MaskKind mask : {MaskKind::none, MaskKind::holes, MaskKind::bias}) {
    const KernelTask task(odd_shape(mask), 8);
    for (const KernelTable* const table : supported_kernels()) {
      SoftmaxState state = task.fresh_state();
      task.attend(*table, state, 0, 64, 0, 37);
      task.attend(*table, state, 64, 256, 0, 37);
      task.attend(*table, state, 256, 333, 0, 37);
      EXPECT_EQ(state, task.attend(*table)) << table->name;
    }
  }
}

// Requests must get the same text alone and in company. Where rows see different cells, company may
// change the unit of integer values, so only the bound holds.
TEST(Kernels, ARowIsTheSameAloneAndBesideOthersBitByBit) {
  const KernelTask task(odd_shape(MaskKind::none), 9);
  for (const KernelTable* const table : supported_kernels()) {
    const SoftmaxState together = task.attend(*table);
    SoftmaxState alone = task.fresh_state();
    for (int row = 0; row < 37; ++row) task.attend(*table, alone, 0, 333, row, 1);
    EXPECT_EQ(alone, together) << table->name;
  }
}

/// Row by row: the same sums, and outputs as near to each other as the bounds ask for.
void expect_same_rows(const KernelTask& task, const SoftmaxState& a, const SoftmaxState& b,
                      int first_row, int end_row) {
  for (int row = first_row; row < end_row; ++row) {
    const ExpectedRow expected = task.expected(row);
    ASSERT_EQ(a.max[row], b.max[row]);
    ASSERT_EQ(a.sum(row), b.sum(row));
    for (std::size_t c = 0; c < expected.out.size(); ++c) {
      const std::size_t at = static_cast<std::size_t>(row) * expected.out.size() + c;
      ASSERT_NEAR(a.out[at] / a.sum(row), b.out[at] / b.sum(row), 2 * expected.out_bound[c]);
    }
  }
}

TEST(Kernels, ARowThatSeesOtherCellsThanItsNeighboursIsTheSameWithinTheBound) {
  for (const MaskKind mask : {MaskKind::holes, MaskKind::bias}) {
    const KernelTask task(odd_shape(mask), 9);
    for (const KernelTable* const table : supported_kernels()) {
      SCOPED_TRACE(table->name);
      SoftmaxState alone = task.fresh_state();
      for (int row = 0; row < 9; ++row) task.attend(*table, alone, 0, 333, row, 1);
      expect_same_rows(task, alone, task.attend(*table), 0, 9);
    }
  }
}

// Not by a bit, whatever lies there.
TEST(Kernels, ARowDoesNotNoticeCellsThatNoRowSees) {
  for (const MaskKind mask : {MaskKind::holes, MaskKind::bias}) {
    std::mt19937 random(10);
    KernelTask task(odd_shape(mask), 11);
    const int row = 4;
    const auto attend = [&task](const KernelTable& table) {
      SoftmaxState state = task.fresh_state();
      task.attend(table, state, 0, 333, row, 1);
      return state;
    };
    std::vector<SoftmaxState> before;
    for (const KernelTable* const table : supported_kernels()) before.push_back(attend(*table));
    for (std::int64_t cell = 0; cell < 333; ++cell) {
      if (task.sees(row, cell)) continue;
      task.change_cell(cell, [&random] { return static_cast<std::uint8_t>(random()); });
    }
    for (std::size_t i = 0; i < before.size(); ++i) {
      EXPECT_EQ(attend(*supported_kernels()[i]), before[i]) << supported_kernels()[i]->name;
    }
  }
}

// A bound that nothing can break proves nothing: one of 100 cells with other codes must break it.
// Values of few bits become integers of few bits, so that there it takes more.
TEST(Kernels, TheBoundsNoticeChangedCells) {
  for (const int bits : widths) {
    TaskShape shape{uniform(64, bits), uniform(64, bits), 1, 100};
    shape.loudness = 0.5;  // no cell weighs nearly nothing
    KernelTask task(shape, 12);
    const SoftmaxState before = task.attend(scalar_kernels());
    const int n_changed = bits < 4 ? 32 >> bits : 1;
    for (int cell = 42; cell < 42 + n_changed; ++cell) {
      task.change_cell(cell, [] { return std::uint8_t{200}; });
    }
    const ExpectedRow expected = task.expected(0);
    const double log2_sum = before.max[0] + std::log2(before.sum(0));
    EXPECT_GT(std::fabs(log2_sum - expected.log2_sum), expected.log2_sum_bound) << bits << " bits";
    int n_broken = 0;
    for (std::size_t c = 0; c < expected.out.size(); ++c) {
      const double error = std::fabs(before.out[c] / before.sum(0) - expected.out[c]);
      n_broken += error > expected.out_bound[c] ? 1 : 0;
    }
    EXPECT_GT(n_broken, 20) << bits << " bits";
  }
}

}  // namespace
}  // namespace kvsplit
