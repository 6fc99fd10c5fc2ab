#pragma once

#include <string>
#include <vector>

namespace kvsplit::cli {

/// Runs a program, a path or a name on PATH, with our terminal and
/// environment, and waits for it. Signals sent to us are passed on to it; those that a terminal
/// sends (Ctrl-C) reach it without us. Returns its exit code, 128 + N where signal N ended it.
/// Error: it cannot be started.
int run_child(const std::string& program, const std::vector<std::string>& arguments);

}  // namespace kvsplit::cli
