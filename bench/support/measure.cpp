#include "support/measure.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/pages.h"

namespace kvsplit::bench {
namespace {

constexpr std::size_t line_bytes = 64;
constexpr std::size_t n_sums = 8;  // one would wait for each line in turn

// One word of each cache line brings in the whole line; more loads would only cost time.
std::uint64_t read_lines(const Pages& memory) {
  std::uint64_t sums[n_sums] = {};
  const std::byte* at = memory.data();
  const std::byte* const end = at + memory.size();
  for (; at < end; at += n_sums * line_bytes) {
    for (std::size_t i = 0; i < n_sums; ++i) {
      std::uint64_t word = 0;
      std::memcpy(&word, at + i * line_bytes, sizeof(word));
      sums[i] += word;
    }
  }
  std::uint64_t sum = 0;
  for (const std::uint64_t part : sums) sum += part;
  return sum;
}

double measure_memory() {
  // Written to, because pages that nobody wrote to are all one page of zeros.
  const Pages memory(memory_bytes);
  std::memset(memory.data(), 1, memory.size());
  double best = 0;
  for (int round = 0; round < 3; ++round) {
    const double start = processor_seconds();
    benchmark::DoNotOptimize(read_lines(memory));
    const double seconds = processor_seconds() - start;
    best = std::max(best, static_cast<double>(memory_bytes) / seconds);
  }
  return best;
}

}  // namespace

double memory_bandwidth() {
  static const double measured = measure_memory();
  return measured;
}

void report_bytes(benchmark::State& state, double bytes_per_second) {
  state.counters["GB/s"] = bytes_per_second / 1e9;
  state.counters["share"] = bytes_per_second / memory_bandwidth();
}

}  // namespace kvsplit::bench
