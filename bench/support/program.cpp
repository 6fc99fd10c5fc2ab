#include "support/program.h"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <exception>
#include <string>

#include "kernels/attend.h"
#include "support/measure.h"

namespace kvsplit::bench {
namespace {

void run(int argc, char** argv) {
  register_all();
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("instruction set", kernels().name);
  benchmark::AddCustomContext("memory", std::to_string(memory_bandwidth() / 1e9) + " GB/s");
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}

}  // namespace
}  // namespace kvsplit::bench

int main(int argc, char** argv) {
  try {
    kvsplit::bench::run(argc, argv);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
