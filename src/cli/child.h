#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace kvsplit::cli {

struct ChildCall {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  bool output_to_stderr = false;  ///< its stdout becomes our stderr
};

/// Runs a program with our terminal and environment and waits for it. Signals sent to us are passed
/// on to it; those that a terminal sends (Ctrl-C) reach it without us. Returns its exit code, 128 +
/// N where signal N ended it. Error: it cannot be started.
int run_child(const ChildCall& call);

}  // namespace kvsplit::cli
