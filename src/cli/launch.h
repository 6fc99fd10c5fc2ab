#pragma once

#include <string>
#include <vector>

#include "cli/options.h"

namespace kvsplit::cli {

/// The file of a program of llama.cpp; where it is missing in a build of ours, it is built first.
std::string llama_tool(const std::string& name);

/// Programs started from now on load the plugin, which reports to this file.
void set_plugin_environment(const std::string& report);

/// … and pack with this precision, with the model's plan where it says plan=auto. Warns where it
/// would wreck the model. Error: there is no such plan, or it is for another model.
void set_precision(Precision precision, const std::optional<std::string>& model);

/// What exec, run, chat and serve take.
struct LaunchOptions {
  PrecisionOptions precision;          ///< at most one
  std::string weights_on;              ///< device for the weights, "" = with the cache
  bool has_meter = false;              ///< whether a line below shows what the cache takes
  std::vector<std::string> arguments;  ///< of the program, as the user gave them
};

/// The arguments with the device, layers and flash attention added that the plugin needs, as far as
/// the user has not chosen them. program: its file name, since llama-bench and the RPC server have
/// options of their own; programs that do not take these (Python) get none.
std::vector<std::string> with_plugin_arguments(const std::string& program,
                                               const LaunchOptions& options);

}  // namespace kvsplit::cli
