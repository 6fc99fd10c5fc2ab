// Rows kept in 8 bits beside the packed ones: which they are, and that nothing stale is seen.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <new>
#include <vector>

#include "cache/plan.h"
#include "support/cache_fixture.h"
#include "support/limits.h"
#include "support/planned_format.h"

namespace kvsplit {
namespace {

using test::consecutive;
using test::OwnedTensor;
using test::random_numbers;
using test::write_rows;

constexpr int n_channels = 192, head_dim = 64;
constexpr std::int64_t kv_size = 300;

RowFormat format(int sinks, int window) {
  RowFormat format = uniform_format(n_channels, 4, TransformKind::hadamard);
  format.sinks = sinks;
  format.window = window;
  format.exact_saved = true;
  return format;
}

/// Keys with a plan whose scales reach over normal numbers.
RowFormat planned_format(int frame_cells) {
  RowFormat format = test::planned_format({.bits = 4, .frame_cells = frame_cells});
  format.sinks = 4;
  format.window = 28;
  format.exact_saved = true;
  return format;
}

struct Cache {
  explicit Cache(int sinks = 4, int window = 28, std::int64_t n_streams = 1, Side side = Side::key)
      : tensor(format(sinks, window), side, {kv_size, n_streams}, head_dim) {}
  explicit Cache(const RowFormat& format) : tensor(format, Side::key, {kv_size, 1}, head_dim) {}
  /// What is written to these rows, new for each seed.
  std::vector<float> write(const std::vector<std::int64_t>& rows, unsigned seed, int n_threads = 1,
                           std::int32_t position = 0) {
    std::vector<float> values = random_numbers(rows.size() * n_channels, seed);
    write_rows(*tensor, values, rows, n_threads, position);
    return values;
  }
  /// The largest error of a row as it is read, of numbers of size 1.
  float error(std::int64_t row, const float* values) {
    std::vector<float> read(n_channels);
    tensor->read(row, read);
    float largest = 0;
    for (int c = 0; c < n_channels; ++c)
      largest = std::max(largest, std::fabs(read[c] - values[c]));
    return largest;
  }
  std::vector<std::int64_t> exact_cells(std::int64_t stream = 0) {
    std::vector<std::int64_t> cells;
    for (std::int64_t cell = 0; cell < kv_size; ++cell) {
      if (tensor->exact().find({stream, cell}) >= 0) cells.push_back(cell);
    }
    return cells;
  }
  OwnedTensor tensor;
};

constexpr float exact_error = 0.06F, packed_error = 0.1F;

std::vector<std::int64_t> first_and_last(std::int64_t n_first, std::int64_t from, std::int64_t to) {
  std::vector<std::int64_t> cells = consecutive(0, n_first);
  for (std::int64_t cell = from; cell < to; ++cell) cells.push_back(cell);
  return cells;
}

TEST(ExactRows, AreTheFirstCellsAndTheLastWritten) {
  for (const Side side : {Side::key, Side::value}) {
    Cache cache(4, 28, 1, side);
    const std::vector<float> values = cache.write(consecutive(0, 200), 1);
    EXPECT_EQ(cache.exact_cells(), first_and_last(4, 172, 200));
    for (std::int64_t row = 0; row < 200; ++row) {
      const float error = cache.error(row, values.data() + row * n_channels);
      if (row < 4 || row >= 172) {
        EXPECT_LT(error, exact_error) << row;
      } else {
        EXPECT_GT(error, packed_error) << row;
      }
    }
  }
}

TEST(ExactRows, WrittenInPiecesOrOnThreadsAreTheSame) {
  Cache whole;
  Cache pieces;
  const std::vector<float> values = whole.write(consecutive(0, 190), 1, 3);
  for (std::int64_t first = 0, n = 1; first < 190; first += n, n = n * 2 + 1) {
    const std::int64_t end = std::min<std::int64_t>(first + n, 190);
    write_rows(*pieces.tensor,
               {values.data() + first * n_channels, values.data() + end * n_channels},
               consecutive(first, end - first));
  }
  EXPECT_EQ(pieces.exact_cells(), whole.exact_cells());
  EXPECT_EQ(std::memcmp(pieces.tensor->memory(), whole.tensor->memory(),
                        PackedTensor::bytes(format(4, 28), {kv_size, 1})),
            0);
}

TEST(ExactRows, ARewrittenRowIsTheNewOne) {
  Cache cache;
  cache.write(consecutive(0, 200), 1);
  for (const std::int64_t row : {2, 100, 180}) {
    const std::vector<float> values = cache.write({row}, 7);
    EXPECT_LT(cache.error(row, values.data()), exact_error) << row;
  }
}

TEST(ExactRows, ARestoredRowIsAsItWas) {
  for (const RowFormat& rows : {format(4, 28), planned_format(64), planned_format(128)}) {
    Cache cache(rows);
    cache.write(consecutive(0, 200), 1, 1, 1000);
    std::vector<std::byte> raw(cache.tensor->raw_row_bytes());
    std::vector<std::byte> again(raw.size());
    Cache restored(rows);
    restored.write(consecutive(0, 300), 2, 1, 500);
    for (std::int64_t row = 0; row < kv_size; ++row) {
      cache.tensor->read_raw(row, raw);
      restored.tensor->write_raw(row, raw);
    }
    std::vector<float> expected(n_channels);
    std::vector<float> found(n_channels);
    for (std::int64_t row = 0; row < 200; ++row) {
      cache.tensor->read_raw(row, raw);
      restored.tensor->read_raw(row, again);
      EXPECT_EQ(again, raw) << row;
      cache.tensor->read(row, expected);
      restored.tensor->read(row, found);
      EXPECT_EQ(found, expected) << row;
    }
    EXPECT_EQ(restored.exact_cells(), cache.exact_cells());
  }
}

// A frame that begins anew at another position takes its exact rows along.
TEST(ExactRows, AreThoseTheyWereInAFrameThatBeginsAnew) {
  Cache cache(planned_format(64));
  const std::vector<float> values = cache.write(consecutive(64, 60), 1, 1, 64);
  cache.write({64}, 2, 1, 700);
  const auto error = [&](std::int64_t row) {
    return cache.error(row, &values[(row - 64) * n_channels]);
  };
  EXPECT_LT(std::max(error(100), error(120)), packed_error);
  EXPECT_GT(error(70), packed_error) << "is packed alone";
}

// Rows of many bits do not bring them along: they are made again of what was packed.
TEST(ExactRows, AreMadeOfPackedRowsThatAreGoodEnough) {
  RowFormat wide = uniform_format(n_channels, 8, TransformKind::identity);
  wide.sinks = 4;
  for (const Side side : {Side::key, Side::value}) {
    OwnedTensor tensor(wide, side, {kv_size, 1}, head_dim);
    OwnedTensor restored(wide, side, {kv_size, 1});
    write_rows(*tensor, random_numbers(4 * n_channels, 1), consecutive(0, 4));
    std::vector<std::byte> raw(tensor->raw_row_bytes());
    std::vector<float> packed(n_channels);
    for (std::int64_t row = 0; row < 4; ++row) {
      tensor->read_raw(row, raw);
      restored->write_raw(row, raw);
      tensor->read(row, packed);
      for (std::size_t group = 0; group < n_channels / group_channels; ++group) {
        std::array<float, group_channels> exact{};
        std::array<float, group_channels> again{};
        const auto slot = static_cast<int>(row);
        tensor->exact().at(0, slot).row(group, tensor->side()).read(exact);
        restored->exact().at(0, slot).row(group, restored->side()).read(again);
        EXPECT_EQ(again, exact);
        for (int c = 0; c < group_channels; ++c) {
          EXPECT_NEAR(exact[c], packed[group * group_channels + c], exact_error);
        }
      }
    }
  }
}

TEST(ExactRows, AnEditKeepsThemAndTakesNoOthersIn) {
  Cache cache;
  std::vector<float> values = cache.write(consecutive(0, 200), 1);
  const std::vector<std::int64_t> before = cache.exact_cells();
  for (float& x : values) x = -x;
  const std::vector<std::int64_t> rows = consecutive(0, 200);
  cache.tensor->write({.values = values.data(),
                       .row_stride = n_channels * sizeof(float),
                       .rows = rows,
                       .edits = true},
                      Worker{});
  EXPECT_EQ(cache.exact_cells(), before);
  EXPECT_LT(cache.error(190, values.data() + 190 * n_channels), exact_error);
  EXPECT_GT(cache.error(100, values.data() + 100 * n_channels), packed_error);
}

// Several texts in a stream, in turn: a server's usual way.
TEST(ExactRows, AreTheFirstTokensOfFiveTexts) {
  for (const int n_texts : {5, 7}) {
    Cache cache(4, 0);
    std::vector<std::int32_t> positions;
    for (int cell = 0; cell < 280; ++cell) positions.push_back(cell / n_texts);
    const std::vector<std::int64_t> rows = consecutive(0, 280);
    const std::vector<float> values = random_numbers(rows.size() * n_channels, 1);
    cache.tensor->write({.values = values.data(),
                         .row_stride = n_channels * sizeof(float),
                         .rows = rows,
                         .positions = positions.data()},
                        Worker{});
    const std::vector<std::int64_t> found = cache.exact_cells();
    ASSERT_EQ(found.size(), 20U);
    // Beyond five texts the latest positions make room.
    if (n_texts == 5) {
      EXPECT_EQ(found, consecutive(0, 20));
    }
    for (int cell = 0; cell < n_texts; ++cell) EXPECT_EQ(found[cell], cell);
  }
}

TEST(ExactRows, OfStreamsAreApartAndCopied) {
  Cache cache(4, 28, 2);
  const std::vector<float> values = cache.write(consecutive(0, 100), 1);
  EXPECT_TRUE(cache.exact_cells(1).empty());
  cache.tensor->copy_stream(0, 1);
  EXPECT_EQ(cache.exact_cells(1), cache.exact_cells(0));
  EXPECT_LT(cache.error(kv_size + 99, values.data() + 99 * n_channels), exact_error);
}

TEST(ExactRows, AreForgottenWhenTheCacheIsCleared) {
  Cache cache;
  cache.write(consecutive(0, 100), 1);
  cache.tensor->forget_exact();
  EXPECT_TRUE(cache.exact_cells().empty());
}

TEST(ExactRows, AreInTheBytes) {
  const CellShape cells{kv_size, 3};
  const std::size_t without = PackedTensor::bytes(format(0, 0), cells);
  constexpr std::size_t row = n_channels * 17 / 16, read_beyond = 64;
  EXPECT_EQ(PackedTensor::bytes(format(4, 28), cells) - without, 3 * 48 * row + read_beyond);
  EXPECT_EQ(PackedTensor::bytes(format(0, 28), cells) - without, 3 * 32 * row + read_beyond);
}

TEST(ExactRows, AreOnBothSidesOrOnNone) {
  for (const char* const text : {"K4V4", "K8V2:window=3"}) {
    const Precision precision = parse_precision(text);
    const RowFormat keys = plan_format(precision, 0, Side::key, n_channels, false);
    const RowFormat values = plan_format(precision, 0, Side::value, n_channels, false);
    EXPECT_EQ(keys.sinks, precision.sinks);
    EXPECT_EQ(keys.window, precision.window);
    EXPECT_EQ(values.sinks, keys.sinks);
    EXPECT_EQ(values.window, keys.window);
  }
  const Precision precision = parse_precision("K16V4");
  EXPECT_EQ(plan_format(precision, 0, Side::value, n_channels, false).window, 0);
}

// Found by fuzz/row_fuzz.cpp: a session's bytes may say anything.
TEST(ExactRows, OfARestoredRowAtAPositionBelowZeroIsAFirstOne) {
  std::vector<std::byte> memory(ExactRows::bytes(format(4, 28), 1));
  ExactRows rows(format(4, 28), 1, memory.data());
  const int slot = rows.claim({0, 7}, {.slot = 255, .position = INT32_MIN});
  ASSERT_GE(slot, 0);
  EXPECT_EQ(rows.slots(0)[slot].position, 0);
}

// Workers of a write wait for the one that gives rows their slots: also when that finds no memory
// for it, and the write after that is like any other.
TEST(ExactRows, NobodyWaitsForAWorkerWithoutMemory) {
  if (!test::LittleMemory::can_be_tested()) GTEST_SKIP() << "memory is not limited here";
  const RowFormat rows = format(4, 28);
  std::vector<std::byte> memory(ExactRows::bytes(rows, 1));
  ExactRows exact(rows, 1, memory.data());
  std::vector<std::int64_t> many(std::size_t{1} << 22U);  // their slots take 16 MiB
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::int64_t>(i) % kv_size;
  {
    const test::LittleMemory little;
    EXPECT_THROW(exact.claim(many, {kv_size}, nullptr, nullptr, {0, 2}), std::bad_alloc);
  }
  EXPECT_TRUE(exact.claim(many, {kv_size}, nullptr, nullptr, {1, 2}).empty());
  for (const int worker : {0, 1}) {
    EXPECT_EQ(exact.claim(consecutive(0, 3), {kv_size}, nullptr, nullptr, {worker, 2}).size(), 3U);
  }
  EXPECT_GE(exact.find({0, 2}), 0);
}

}  // namespace
}  // namespace kvsplit
