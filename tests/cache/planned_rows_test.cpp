// Rows in the spaces of a plan: maps of each head, short scales, frames of positions.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "cache/edit_rows.h"
#include "codec/rotation.h"
#include "support/attention_oracle.h"
#include "support/attention_scene.h"
#include "support/planned_format.h"

namespace kvsplit {
namespace {

using test::consecutive;
using test::OwnedTensor;
using test::planned_format;
using test::PlannedShape;
using test::random_numbers;

constexpr int n_channels = 192, head_dim = 64;
constexpr std::int64_t kv_size = 300;

/// Keys in frames of 64 cells.
struct Keys {
  explicit Keys(int bits = 8, std::int64_t n_streams = 1)
      : tensor(planned_format({.bits = bits, .frame_cells = 64}), Side::key, {kv_size, n_streams},
               head_dim) {}
  void write(const std::vector<float>& values, const std::vector<std::int64_t>& rows,
             const std::vector<std::int32_t>& positions, int n_threads = 1) {
    const WriteCall call{.values = values.data(),
                         .row_stride = n_channels * sizeof(float),
                         .rows = rows,
                         .positions = positions.data()};
    test::on_threads(n_threads, [&](Worker worker) { tensor->write(call, worker); });
  }
  /// New rows at cells and positions from these on.
  std::vector<float> fill(std::int64_t cell, int position, std::int64_t n, unsigned seed = 1,
                          int n_threads = 1) {
    std::vector<float> values = random_numbers(static_cast<std::size_t>(n) * n_channels, seed);
    std::vector<std::int32_t> positions;
    for (std::int64_t i = 0; i < n; ++i) positions.push_back(position + static_cast<int>(i));
    write(values, consecutive(cell, n), positions, n_threads);
    return values;
  }
  std::vector<float> read(std::int64_t row) const {
    std::vector<float> values(n_channels);
    const_cast<OwnedTensor&>(tensor)->read(row, values);
    return values;
  }
  float error(std::int64_t row, const float* expected) const {
    const std::vector<float> found = read(row);
    float largest = 0;
    for (int c = 0; c < n_channels; ++c)
      largest = std::max(largest, std::fabs(found[c] - expected[c]));
    return largest;
  }
  OwnedTensor tensor;
};

constexpr float tolerance = 0.6F;  // of 8 bits, of numbers up to 12

TEST(PlannedRows, AreReadAsTheyWereWritten) {
  for (const Side side : {Side::key, Side::value}) {
    OwnedTensor tensor(planned_format({.bits = 8}), side, {kv_size, 1}, head_dim);
    const auto values = random_numbers(static_cast<std::size_t>(kv_size) * n_channels, 1);
    test::write_rows(*tensor, values, consecutive(0, kv_size));
    std::vector<float> read(n_channels);
    for (std::int64_t row = 0; row < kv_size; ++row) {
      tensor->read(row, read);
      for (int c = 0; c < n_channels; ++c)
        ASSERT_NEAR(read[c], values[row * n_channels + c], tolerance) << row << ' ' << c;
    }
  }
}

TEST(PlannedRows, InFramesAreReadAsTheyWereWritten) {
  Keys keys;
  const std::vector<float> values = keys.fill(0, 1000, kv_size, 1, 3);
  for (std::int64_t row = 0; row < kv_size; ++row) {
    EXPECT_LT(keys.error(row, values.data() + row * n_channels), tolerance) << row;
    EXPECT_EQ(keys.tensor->frame({0, row}, 2), 1000 + row / 64 * 64);
  }
}

TEST(PlannedRows, StayWhenTheirFrameBeginsAnew) {
  Keys keys;
  const std::vector<float> values = keys.fill(0, 0, kv_size);
  const std::vector<float> fresh = keys.fill(64, kv_size, 1, 2);  // as in a ring of cells
  EXPECT_EQ(keys.tensor->frame({0, 100}, 0), kv_size);
  EXPECT_LT(keys.error(64, fresh.data()), tolerance);
  for (std::int64_t row = 65; row < 128; ++row)
    EXPECT_LT(keys.error(row, values.data() + row * n_channels), 2 * tolerance) << row;
}

TEST(PlannedRows, AreTheSameBitsOnAnyNumberOfThreads) {
  Keys one(4);
  Keys three(4);
  for (const auto& [cell, position] : {std::pair(0, 5), std::pair(60, 400), std::pair(0, 900)}) {
    one.fill(cell, position, 200, cell + 1, 1);
    three.fill(cell, position, 200, cell + 1, 3);
  }
  EXPECT_EQ(std::memcmp(one.tensor->memory(), three.tensor->memory(),
                        PackedTensor::bytes(one.tensor->format(), {kv_size, 1})),
            0);
}

TEST(PlannedRows, SavedAndRestoredAreTheSameBits) {
  Keys from(4);
  Keys to(4);
  from.fill(0, 70, kv_size);
  to.fill(0, 4000, kv_size, 9);
  std::vector<std::byte> raw(from.tensor->raw_row_bytes());
  for (std::int64_t row = 0; row < kv_size; ++row) {
    from.tensor->read_raw(row, raw);
    to.tensor->write_raw(row, raw);
  }
  for (std::int64_t row = 0; row < kv_size; ++row) EXPECT_EQ(to.read(row), from.read(row)) << row;
}

TEST(PlannedRows, RestoredAcrossFramesAreTheSameNumbers) {
  Keys from;
  Keys to;
  const std::vector<float> values = from.fill(0, 70, 100);
  std::vector<std::byte> raw(from.tensor->raw_row_bytes());
  for (std::int64_t row = 0; row < 100; ++row) {
    from.tensor->read_raw(row, raw);
    to.tensor->write_raw(row + 40, raw);
  }
  for (std::int64_t row = 0; row < 100; ++row)
    EXPECT_LT(to.error(row + 40, values.data() + row * n_channels), 2 * tolerance) << row;
}

TEST(PlannedRows, OfACopiedStreamHaveItsFrames) {
  Keys keys(8, 2);
  const std::vector<float> values = keys.fill(0, 500, kv_size);
  keys.tensor->copy_stream(0, 1);
  EXPECT_LT(keys.error(kv_size + 250, values.data() + 250 * n_channels), tolerance);
}

// What the host does where a context is full: all rows but the first turn to earlier positions.
TEST(PlannedRows, ShiftedTurnWithTheirFrames) {
  constexpr std::int32_t shift = -77;
  Keys keys;
  std::vector<float> values = keys.fill(0, 100, kv_size);
  const Rotation rotation = keys.tensor->format().maps->rotation;
  const Turn turn = turn_of(rotation, shift);
  const auto turn_row = [&](float* row) {
    for (int head = 0; head < 3; ++head)
      turn_head(rotation, turn, {row + head * head_dim, head_dim});
  };
  const auto shift_of = [&](std::int64_t row) { return row < 4 ? 0 : shift; };
  const auto edit = [&](std::int64_t row, std::span<float> values) {
    if (shift_of(row) != 0) turn_row(values.data());
  };
  test::on_threads(2, [&](Worker worker) { edit_rows(*keys.tensor, shift_of, edit, worker); });
  EXPECT_EQ(keys.tensor->frame({0, 200}, 1), 100 + 192 + shift);
  for (std::int64_t row = 0; row < kv_size; ++row) {
    float* const expected = values.data() + row * n_channels;
    if (row >= 4) turn_row(expected);
    EXPECT_LT(keys.error(row, expected), 1.5F * tolerance) << row;
  }
}

/// Attention against the formula on rows as they are read, queries exact.
void expect_attention(const PlannedShape& k, const PlannedShape& v, int n_tokens, int sinks) {
  test::SceneShape shape;
  shape.n_kv = 2 * std::max(k.frame_cells, 64) + 162;
  shape.n_tokens = n_tokens;
  shape.head_dim_k = k.head_dim;
  shape.head_dim_v = v.head_dim;
  shape.k_format = planned_format(k);
  shape.v_format = planned_format(v);
  shape.k_format->sinks = shape.v_format->sinks = sinks;
  test::Scene scene(shape);
  scene.make_causal();
  std::vector<std::int32_t> positions;
  for (int i = 0; i < shape.n_kv; ++i) positions.push_back(i < 150 ? 3000 + i : 9 * i);
  const auto rows = consecutive(0, shape.n_kv);
  const auto values = random_numbers(rows.size() * k.head_dim * 3, 3);
  scene.k->write({.values = values.data(),
                  .row_stride = sizeof(float) * k.head_dim * 3,
                  .rows = rows,
                  .positions = positions.data()},
                 Worker{});
  scene.attend();
  const std::vector<double> expected = oracle::attend(*scene.k, *scene.v, scene.call, false);
  for (std::size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(scene.out[i], expected[i], 0.1) << i;
}

TEST(PlannedRows, AttentionOverFramesOfAnyLength) {
  for (const int frame_cells : {64, 128, 256, 512, 1024}) {
    SCOPED_TRACE(frame_cells);
    expect_attention({.frame_cells = frame_cells}, {}, 3, 4);
  }
}

TEST(PlannedRows, AttentionIsTheFormula) {
  for (const int dim : {32, 64, 128, 256}) {
    for (const int bits : {3, 4, 8}) {
      for (const int n_tokens : {1, 7, 100}) {
        SCOPED_TRACE(std::to_string(dim) + " K" + std::to_string(bits) + " tokens " +
                     std::to_string(n_tokens));
        expect_attention({.head_dim = dim, .bits = bits}, {.head_dim = dim, .bits = 8}, n_tokens,
                         0);
        expect_attention({.head_dim = dim, .bits = bits, .frame_cells = 64, .neighbours = true},
                         {.head_dim = dim, .bits = 4, .mean = false}, n_tokens, 4);
      }
    }
  }
}

}  // namespace
}  // namespace kvsplit
