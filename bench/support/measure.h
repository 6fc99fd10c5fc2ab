#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <ctime>

namespace kvsplit::bench {

/// What reading is measured on, and what a benchmark's tensors are together: more than a processor
/// keeps, and the same for both where it keeps more.
inline constexpr std::size_t memory_bytes = std::size_t{256} << 20U;

/// Seconds of processor time: what other programs on the machine take is not in it.
inline double processor_seconds() {
  return static_cast<double>(std::clock()) / static_cast<double>(CLOCKS_PER_SEC);
}

/// Bytes per second that one thread reads, the best of three times; measured at the first call.
double memory_bandwidth();

/// GB/s of a line, and its share of what memory gives.
void report_bytes(benchmark::State& state, double bytes_per_second);

/// Runs work() as often as the state wants; each time, `bytes` of packed cache are used.
template <typename Work>
void measure(benchmark::State& state, std::size_t bytes, const Work& work) {
  const double start = processor_seconds();
  for (auto _ : state) work();
  const double seconds = processor_seconds() - start;
  report_bytes(state,
               static_cast<double>(bytes) * static_cast<double>(state.iterations()) / seconds);
}

}  // namespace kvsplit::bench
