#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cli/options.h"

namespace kvsplit::cli {

/// What exec, run, chat and serve have in common.
struct LaunchOptions {
  PrecisionOptions precision;          ///< at most one
  std::string weights_on;              ///< device for the weights, "" = with the cache
  std::vector<std::string> arguments;  ///< of the program, as the user gave them
};
void add_launch_options(CLI::App& app, LaunchOptions& options);

/// The arguments with the device, layers and flash attention added that the plugin needs, as far as
/// the user has not chosen them. program: its file name, since llama-bench and the RPC server have
/// options of their own; programs that do not take these (Python) get none.
std::vector<std::string> with_plugin_arguments(const std::string& program,
                                               const LaunchOptions& options);

/// Runs a program of llama.cpp with the plugin active, and says in a line on stderr what its cache
/// took. Returns the program's exit code.
int launch(const std::filesystem::path& program, const LaunchOptions& options);

/// A program of the pinned llama.cpp, on the demo model where the user names none. Builds
/// llama.cpp's programs first where they are missing.
int launch_tool(const std::string& name, LaunchOptions options);

}  // namespace kvsplit::cli
