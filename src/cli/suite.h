#pragma once

#include "cli/options.h"

namespace kvsplit::cli {

struct SuiteOptions : TextOptions {
  SuiteOptions() { text = shipped("examples/long-document/alice.txt"); }
  bool is_suite = false, is_long = false;
  std::vector<int> lengths;
  std::optional<std::vector<std::string>> stock;
};

/// Measures every cache at every length, each cell beside kvsplit's own 16 bits, and saves it at
/// once. Cells that the file has are not measured again. Returns the exit code.
int run_suite(const SuiteOptions& options, int speed_rounds);

}  // namespace kvsplit::cli
