#pragma once

namespace kvsplit::bench {

/// Each program's list of benchmarks; support/program.cpp has main(). All of them use one thread:
/// GB/s are those of a core.
void register_all();

}  // namespace kvsplit::bench
