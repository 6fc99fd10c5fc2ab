#include "cache/edit_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "support/cache_fixture.h"
#include "support/formats.h"

namespace kvsplit {
namespace {

using test::OwnedTensor;

constexpr int head_dim = 64;
constexpr int n_channels = 192;
constexpr CellShape cells{150, 2};  // more than two tiles, and not a multiple

std::vector<std::byte> raw_row(OwnedTensor& tensor, std::int64_t row) {
  std::vector<std::byte> raw(tensor->raw_row_bytes());
  tensor->read_raw(row, raw);
  return raw;
}

void fill(OwnedTensor& tensor) {
  const auto rows = test::consecutive(0, cells.n_rows());
  test::write_rows(*tensor, test::random_numbers(rows.size() * n_channels, 1), rows);
}

bool every_third(std::int64_t row) { return row % 3 == 0; }

void halve_every_third(OwnedTensor& tensor, int n_threads) {
  test::on_threads(n_threads, [&](Worker worker) {
    edit_rows(
        *tensor, every_third,
        [](std::int64_t /*row*/, std::span<float> values) {
          for (float& x : values) x /= 2;
        },
        worker);
  });
}

TEST(EditRows, ChosenOnesAreDecodedEditedAndEncodedAgainOthersNotTouched) {
  for (const test::NamedFormat& named : test::row_formats(n_channels)) {
    SCOPED_TRACE(named.name);
    OwnedTensor before(named.format, Side::key, cells, head_dim);
    OwnedTensor edited(named.format, Side::key, cells, head_dim);
    fill(before);
    fill(edited);
    halve_every_third(edited, 1);
    std::vector<float> values(n_channels);
    OwnedTensor expected(named.format, Side::key, {1, 1}, head_dim);
    for (std::int64_t row = 0; row < cells.n_rows(); ++row) {
      if (!every_third(row)) {
        ASSERT_EQ(raw_row(edited, row), raw_row(before, row)) << row;
        continue;
      }
      before->read(row, values);
      for (float& x : values) x /= 2;
      test::write_rows(*expected, values, {0});
      ASSERT_EQ(raw_row(edited, row), raw_row(expected, 0)) << row;
    }
  }
}

TEST(EditRows, AnyNumberOfThreadsGivesTheSameBytes) {
  for (const test::NamedFormat& named : test::row_formats(n_channels)) {
    OwnedTensor alone(named.format, Side::value, cells, head_dim);
    fill(alone);
    halve_every_third(alone, 1);
    for (const int n_threads : {2, 5}) {
      OwnedTensor together(named.format, Side::value, cells, head_dim);
      fill(together);
      halve_every_third(together, n_threads);
      for (std::int64_t row = 0; row < cells.n_rows(); ++row) {
        ASSERT_EQ(raw_row(together, row), raw_row(alone, row)) << named.name << ", row " << row;
      }
    }
  }
}

TEST(EditRows, EveryChosenRowComesOnce) {
  OwnedTensor tensor(uniform_format(n_channels, 4, TransformKind::hadamard), Side::key, cells,
                     head_dim);
  std::multiset<std::int64_t> seen;
  const auto note = [&seen](std::int64_t row, std::span<float> values) {
    EXPECT_EQ(values.size(), static_cast<std::size_t>(n_channels));
    seen.insert(row);
  };
  for (int index = 0; index < 3; ++index) edit_rows(*tensor, every_third, note, {index, 3});
  ASSERT_EQ(seen.size(), 100U);
  for (std::int64_t row = 0; row < cells.n_rows(); row += 3) EXPECT_EQ(seen.count(row), 1U) << row;
}

// The channels of a head that rotary position embedding turns, as the host's own graph sees them.
struct PartsOfHeads {
  static constexpr int first = 16;
  static constexpr int n = 32;
  std::vector<float> numbers;
  HeadParts parts;

  explicit PartsOfHeads(int n_heads)
      : numbers(static_cast<std::size_t>(cells.n_rows()) * n_heads * n, NAN) {
    parts.first_channel = first;
    parts.n_channels = n;
    parts.numbers = reinterpret_cast<std::byte*>(numbers.data());
    parts.head_stride = n * sizeof(float);
    parts.row_stride = parts.head_stride * n_heads;
  }
  float& at(std::int64_t row, int head, int c) {
    return numbers[(static_cast<std::size_t>(row) * (n_channels / head_dim) + head) * n + c];
  }
};

TEST(EditRows, PartsOfHeadsAreThoseThatAreReadFromTheRow) {
  OwnedTensor tensor(uniform_format(n_channels, 8, TransformKind::hadamard), Side::key, cells,
                     head_dim);
  fill(tensor);
  PartsOfHeads decoded(tensor->n_heads());
  test::on_threads(3, [&](Worker worker) { decode_parts(*tensor, decoded.parts, worker); });
  std::vector<float> row(n_channels);
  for (std::int64_t i = 0; i < cells.n_rows(); ++i) {
    tensor->read(i, row);
    for (int head = 0; head < tensor->n_heads(); ++head) {
      for (int c = 0; c < PartsOfHeads::n; ++c) {
        ASSERT_EQ(decoded.at(i, head, c), row[head * head_dim + PartsOfHeads::first + c]);
      }
    }
  }
}

TEST(EditRows, EncodedPartsArePutIntoTheChosenRowsAlone) {
  const RowFormat format = uniform_format(n_channels, 16, TransformKind::identity);
  OwnedTensor before(format, Side::key, cells, head_dim);
  OwnedTensor tensor(format, Side::key, cells, head_dim);
  fill(before);
  fill(tensor);
  PartsOfHeads parts(tensor->n_heads());
  for (std::size_t i = 0; i < parts.numbers.size(); ++i) {
    parts.numbers[i] = static_cast<float>(i % 100);
  }
  test::on_threads(3,
                   [&](Worker worker) { encode_parts(*tensor, parts.parts, every_third, worker); });
  std::vector<float> row(n_channels);
  std::vector<float> old(n_channels);
  for (std::int64_t i = 0; i < cells.n_rows(); ++i) {
    tensor->read(i, row);
    before->read(i, old);
    for (int channel = 0; channel < n_channels; ++channel) {
      const int c = channel % head_dim - PartsOfHeads::first;
      const bool put = every_third(i) && c >= 0 && c < PartsOfHeads::n;
      const float expected = put ? parts.at(i, channel / head_dim, c) : old[channel];
      ASSERT_EQ(row[channel], expected) << "row " << i << ", channel " << channel;
    }
  }
}

}  // namespace
}  // namespace kvsplit
