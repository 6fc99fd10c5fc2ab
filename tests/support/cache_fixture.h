#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "base/half.h"
#include "base/pages.h"
#include "cache/attention.h"
#include "cache/packed_tensor.h"

namespace kvsplit::test {

/// A packed tensor together with its memory.
class OwnedTensor {
 public:
  OwnedTensor(const RowFormat& format, Side side, CellShape cells)
      : memory_(PackedTensor::bytes(format, cells)), tensor_(format, side, cells, memory_.data()) {}
  OwnedTensor(const RowFormat& format, Side side, CellShape cells, int head_dim)
      : OwnedTensor(format, side, cells) {
    tensor_.bind_heads(head_dim);
  }
  PackedTensor& operator*() { return tensor_; }
  PackedTensor* operator->() { return &tensor_; }

 private:
  Pages memory_;
  PackedTensor tensor_;
};

/// Normal numbers with a few loud channels, as keys of real models have.
inline std::vector<float> random_numbers(std::size_t n, unsigned seed, int loud_every = 37) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> numbers(n);
  for (std::size_t i = 0; i < n; ++i) {
    numbers[i] = normal(random) * (i % static_cast<std::size_t>(loud_every) == 0 ? 4.0F : 1.0F);
  }
  return numbers;
}

/// Runs work(worker) on `count` threads at once, as the host does.
inline void on_threads(int count, const std::function<void(Worker)>& work) {
  std::vector<std::thread> threads;
  for (int index = 1; index < count; ++index) threads.emplace_back(work, Worker{index, count});
  work({0, count});
  for (std::thread& thread : threads) thread.join();
}

inline void write_rows(PackedTensor& tensor, const std::vector<float>& values,
                       const std::vector<std::int64_t>& rows, int n_threads = 1,
                       std::int32_t first_position = 0) {
  std::vector<std::int32_t> positions;
  for (const std::int64_t row : rows) {
    positions.push_back(first_position + static_cast<std::int32_t>(row % tensor.cells().kv_size));
  }
  WriteCall call{values.data(), sizeof(float) * tensor.format().n_channels(), rows};
  if (first_position > 0) call.positions = positions.data();
  on_threads(n_threads, [&](Worker worker) { tensor.write(call, worker); });
}

/// Rows first … first + n − 1.
inline std::vector<std::int64_t> consecutive(std::int64_t first, std::int64_t n) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) rows[static_cast<std::size_t>(i)] = first + i;
  return rows;
}

}  // namespace kvsplit::test
