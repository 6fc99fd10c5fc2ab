#include "cache/packed_tensor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/half.h"
#include "support/cache_fixture.h"
#include "support/formats.h"

namespace kvsplit {
namespace {

using test::consecutive;
using test::OwnedTensor;

constexpr int head_dim = 64;
constexpr int n_channels = 192;
constexpr CellShape cells{69, 3};  // streams of a tile and five rows
constexpr std::size_t row_numbers = n_channels;

std::vector<float> numbers_for(const std::vector<std::int64_t>& rows, unsigned seed) {
  return test::random_numbers(rows.size() * row_numbers, seed);
}

std::vector<std::byte> memory_of(OwnedTensor& tensor) {
  const std::size_t bytes = PackedTensor::bytes(tensor->format(), tensor->cells());
  return {tensor->memory(), tensor->memory() + bytes};
}

std::vector<float> row_of(OwnedTensor& tensor, std::int64_t row) {
  std::vector<float> values(row_numbers);
  tensor->read(row, values);
  return values;
}

std::vector<std::byte> raw_row_of(OwnedTensor& tensor, std::int64_t row) {
  std::vector<std::byte> raw(tensor->raw_row_bytes());
  tensor->read_raw(row, raw);
  return raw;
}

/// Runs check(format, side) on both sides of every format of support/formats.h.
template <typename Check>
void on_every_format(const Check& check) {
  for (const test::NamedFormat& named : test::row_formats(n_channels)) {
    for (const Side side : {Side::key, Side::value}) {
      SCOPED_TRACE(named.name + (side == Side::key ? ", keys" : ", values"));
      check(named.format, side);
    }
  }
}

// All levels of the smallest scale are below 2^-16 in size; a Hadamard adds up to its root of 64.
TEST(PackedTensor, ZeroedMemoryIsRowsNextToZero) {
  on_every_format([](const RowFormat& format, Side side) {
    OwnedTensor tensor(format, side, cells, head_dim);
    for (std::int64_t row = 0; row < cells.n_rows(); ++row) {
      for (const float x : row_of(tensor, row)) ASSERT_LE(std::fabs(x), 0x1p-13F);
    }
  });
}

TEST(PackedTensor, WritingInPiecesEqualsWritingAtOnce) {
  on_every_format([](const RowFormat& format, Side side) {
    const auto rows = consecutive(0, cells.n_rows());
    const auto values = numbers_for(rows, 1);
    OwnedTensor at_once(format, side, cells, head_dim);
    test::write_rows(*at_once, values, rows);
    OwnedTensor in_pieces(format, side, cells, head_dim);
    std::size_t first = 0;
    for (const std::size_t piece : {1U, 2U, 63U, 64U, 17U, 40U, 20U}) {
      const float* const from = values.data() + first * row_numbers;
      test::write_rows(
          *in_pieces, {from, from + piece * row_numbers},
          consecutive(static_cast<std::int64_t>(first), static_cast<std::int64_t>(piece)));
      first += piece;
    }
    ASSERT_EQ(first, rows.size());
    ASSERT_EQ(memory_of(in_pieces), memory_of(at_once));
  });
}

TEST(PackedTensor, RowsInAnyOrderOnAnyNumberOfThreadsGiveTheSameBytes) {
  on_every_format([](const RowFormat& format, Side side) {
    const auto rows = consecutive(0, cells.n_rows());
    const auto values = numbers_for(rows, 2);
    OwnedTensor expected(format, side, cells, head_dim);
    test::write_rows(*expected, values, rows);
    std::vector<std::int64_t> order = rows;
    std::shuffle(order.begin(), order.end(), std::mt19937(3));
    std::vector<float> shuffled;
    for (const std::int64_t row : order) {
      const auto* const from = values.data() + static_cast<std::size_t>(row) * row_numbers;
      shuffled.insert(shuffled.end(), from, from + row_numbers);
    }
    for (const int n_threads : {1, 2, 5}) {
      OwnedTensor tensor(format, side, cells, head_dim);
      test::write_rows(*tensor, shuffled, order, n_threads);
      ASSERT_EQ(memory_of(tensor), memory_of(expected)) << n_threads << " threads";
    }
  });
}

TEST(PackedTensor, RewrittenRowsForgetTheOldOnes) {
  on_every_format([](const RowFormat& format, Side side) {
    const auto rows = consecutive(0, cells.n_rows());
    OwnedTensor fresh(format, side, cells, head_dim);
    test::write_rows(*fresh, numbers_for(rows, 5), rows);
    OwnedTensor rewritten(format, side, cells, head_dim);
    test::write_rows(*rewritten, numbers_for(rows, 4), rows);
    test::write_rows(*rewritten, numbers_for(rows, 5), rows);
    ASSERT_EQ(memory_of(rewritten), memory_of(fresh));
  });
}

TEST(PackedTensor, OfARowGivenTwiceTheLastCounts) {
  on_every_format([](const RowFormat& format, Side side) {
    const std::vector<std::int64_t> twice{7, 9, 7};
    const auto values = numbers_for(twice, 6);
    OwnedTensor tensor(format, side, cells, head_dim);
    test::write_rows(*tensor, values, twice, 2);
    OwnedTensor expected(format, side, cells, head_dim);
    test::write_rows(*expected, {values.begin() + n_channels, values.end()}, {9, 7});
    ASSERT_EQ(memory_of(tensor), memory_of(expected));
  });
}

TEST(PackedTensor, NeighboursOfAWrittenRowStayAsTheyAre) {
  on_every_format([](const RowFormat& format, Side side) {
    const auto rows = consecutive(0, cells.n_rows());
    OwnedTensor tensor(format, side, cells, head_dim);
    test::write_rows(*tensor, numbers_for(rows, 7), rows);
    std::vector<std::vector<std::byte>> before;
    for (const std::int64_t row : rows) before.push_back(raw_row_of(tensor, row));
    for (const std::int64_t written : {0, 20, 68, 69, 200}) {
      test::write_rows(*tensor, numbers_for({written}, 8), {written});
      ASSERT_NE(raw_row_of(tensor, written), before[static_cast<std::size_t>(written)]);
      before[static_cast<std::size_t>(written)] = raw_row_of(tensor, written);
      for (const std::int64_t row : rows) {
        ASSERT_EQ(raw_row_of(tensor, row), before[static_cast<std::size_t>(row)]) << row;
      }
    }
  });
}

TEST(PackedTensor, RowsMayLieApartInTheHostsMemory) {
  const RowFormat format = uniform_format(n_channels, 5, TransformKind::hadamard);
  const std::vector<std::int64_t> rows{3, 30, 60};
  constexpr std::size_t stride = row_numbers + 11;
  const auto apart = test::random_numbers(rows.size() * stride, 9);
  std::vector<float> together;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    together.insert(together.end(), apart.data() + i * stride,
                    apart.data() + i * stride + row_numbers);
  }
  OwnedTensor expected(format, Side::key, cells, head_dim);
  test::write_rows(*expected, together, rows);
  OwnedTensor tensor(format, Side::key, cells, head_dim);
  tensor->write({apart.data(), stride * sizeof(float), rows}, Worker{});
  EXPECT_EQ(memory_of(tensor), memory_of(expected));
}

// With an error of half a step where nothing is clipped, which at 8 bits nothing is; plus the
// transform's own rounding.
TEST(PackedTensor, EightBitRowsAreReadBackToHalfAStep) {
  for (const TransformKind transform : {TransformKind::identity, TransformKind::hadamard}) {
    const auto rows = consecutive(0, cells.n_rows());
    const auto values = numbers_for(rows, 10);
    OwnedTensor tensor(uniform_format(n_channels, 8, transform), Side::value, cells, head_dim);
    test::write_rows(*tensor, values, rows);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto read = row_of(tensor, rows[i]);
      for (int head = 0; head < n_channels; head += head_dim) {
        double error = 0;
        double energy = 0;
        for (int c = head; c < head + head_dim; ++c) {
          const double x = values[i * row_numbers + static_cast<std::size_t>(c)];
          error += std::pow(read[static_cast<std::size_t>(c)] - x, 2);
          energy += x * x;
        }
        // The largest number of a group is at most the head's norm: a step is 2/255 of it at most.
        ASSERT_LE(std::sqrt(error), std::sqrt(energy) * std::sqrt(head_dim) / 255 + 1e-5);
      }
    }
  }
}

TEST(PackedTensor, SixteenBitRowsAreTheHalfNumbersThemselves) {
  const RowFormat format = uniform_format(n_channels, 16, TransformKind::identity);
  for (const Side side : {Side::key, Side::value}) {
    const auto rows = consecutive(0, cells.n_rows());
    const auto values = numbers_for(rows, 11);
    OwnedTensor tensor(format, side, cells, head_dim);
    test::write_rows(*tensor, values, rows);
    ASSERT_EQ(tensor->raw_row_bytes(), row_numbers * sizeof(Half));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto read = row_of(tensor, rows[i]);
      const auto raw = raw_row_of(tensor, rows[i]);
      for (std::size_t c = 0; c < row_numbers; ++c) {
        const Half half = float_to_half(values[i * row_numbers + c]);
        ASSERT_EQ(read[c], half_to_float(half));
        ASSERT_EQ(raw[2 * c], static_cast<std::byte>(half & 0xFFU));
        ASSERT_EQ(raw[2 * c + 1], static_cast<std::byte>(half >> 8U));
      }
    }
  }
}

// One sequence's broken numbers must not become another's: nothing that is read is infinite.
TEST(PackedTensor, HostileNumbersAreReadBackFinite) {
  on_every_format([](const RowFormat& format, Side side) {
    const float odd[] = {std::numeric_limits<float>::infinity(),
                         std::numeric_limits<float>::max(),
                         -1e30F,
                         1e-45F,
                         70000.0F,
                         std::numeric_limits<float>::quiet_NaN()};
    OwnedTensor tensor(format, side, cells, head_dim);
    for (const float x : odd) {
      auto values = numbers_for({5}, 12);
      values[70] = x;
      values[90] = -x;
      test::write_rows(*tensor, values, {5});
      for (const float read : row_of(tensor, 5)) ASSERT_TRUE(std::isfinite(read)) << x;
    }
  });
}

TEST(PackedTensor, RawRoundTripIsExact) {
  on_every_format([](const RowFormat& format, Side side) {
    const auto rows = consecutive(0, cells.n_rows());
    OwnedTensor saved(format, side, cells, head_dim);
    test::write_rows(*saved, numbers_for(rows, 13), rows);
    // Sessions are restored before the first graph says how large heads are.
    OwnedTensor restored(format, side, cells);
    for (const std::int64_t row : rows) restored->write_raw(row, raw_row_of(saved, row));
    EXPECT_EQ(memory_of(restored), memory_of(saved));
    ASSERT_EQ(restored->bind_heads(head_dim), "");
    for (const std::int64_t row : rows) ASSERT_EQ(row_of(restored, row), row_of(saved, row));
  });
}

TEST(PackedTensor, RawRowsMoveToOtherCellsOfOtherCaches) {
  on_every_format([](const RowFormat& format, Side side) {
    const auto rows = consecutive(0, cells.n_rows());
    OwnedTensor saved(format, side, cells, head_dim);
    test::write_rows(*saved, numbers_for(rows, 14), rows);
    OwnedTensor restored(format, side, {300, 1}, head_dim);
    test::write_rows(*restored, test::random_numbers(300 * row_numbers, 15), consecutive(0, 300));
    for (const std::int64_t row : rows) {
      restored->write_raw(299 - row, raw_row_of(saved, row));
      ASSERT_EQ(raw_row_of(restored, 299 - row), raw_row_of(saved, row));
      ASSERT_EQ(row_of(restored, 299 - row), row_of(saved, row));
    }
  });
}

TEST(PackedTensor, ACopiedStreamIsTheOtherOneAndNothingElseChanges) {
  on_every_format([](const RowFormat& format, Side side) {
    const auto rows = consecutive(0, cells.n_rows());
    OwnedTensor tensor(format, side, cells, head_dim);
    test::write_rows(*tensor, numbers_for(rows, 16), rows);
    OwnedTensor before(format, side, cells, head_dim);
    test::write_rows(*before, numbers_for(rows, 16), rows);
    tensor->copy_stream(1, 1);
    ASSERT_EQ(memory_of(tensor), memory_of(before));
    tensor->copy_stream(0, 2);
    for (std::int64_t cell = 0; cell < cells.kv_size; ++cell) {
      const std::int64_t second = cells.kv_size + cell;
      const std::int64_t third = 2 * cells.kv_size + cell;
      ASSERT_EQ(raw_row_of(tensor, cell), raw_row_of(before, cell));
      ASSERT_EQ(raw_row_of(tensor, second), raw_row_of(before, second));
      ASSERT_EQ(raw_row_of(tensor, third), raw_row_of(before, cell));
    }
  });
}

TEST(PackedTensor, HeadsThatCannotBePackedAreRefusedWithTheReason) {
  struct Refusal {
    RowFormat format;
    int head_dim;
    const char* reason;
  };
  const auto uniform = [](int n) { return uniform_format(n, 4, TransformKind::identity); };
  const Refusal refusals[] = {
      {uniform(192), 48, "head size 48 is not a multiple of 32"},
      {uniform(192), 1, "head size 1 is not a multiple of 32"},
      {uniform(576), 288, "head size 288 is above 256"},
      {uniform(192), 128, "heads of 128 do not divide rows of 192"},
      {uniform(192), 0, "heads of 0 do not divide rows of 192"},
      {uniform(192), -64, "heads of -64 do not divide rows of 192"},
  };
  for (const Refusal& refusal : refusals) {
    OwnedTensor tensor(refusal.format, Side::key, {16, 1});
    EXPECT_EQ(tensor->bind_heads(refusal.head_dim), refusal.reason);
    EXPECT_EQ(tensor->head_dim(), 0);
    EXPECT_EQ(tensor->n_heads(), 0);
  }
}

TEST(PackedTensor, ABoundHeadHasItsOwnGroups) {
  for (const int dim : {32, 64, 96, 192}) {
    OwnedTensor tensor(uniform_format(n_channels, 3, {}), Side::key, cells, dim);
    ASSERT_EQ(tensor->head_dim(), dim);
    ASSERT_EQ(tensor->n_heads(), n_channels / dim);
    for (int head = 0; head < tensor->n_heads(); ++head) {
      const auto groups = tensor->head_groups(head);
      ASSERT_EQ(groups.size(), static_cast<std::size_t>(dim / 16));
      EXPECT_EQ(groups.front().first_channel, head * dim);
      EXPECT_EQ(groups.back().first_channel, (head + 1) * dim - 16);
    }
  }
}

}  // namespace
}  // namespace kvsplit
