#pragma once

#include <optional>
#include <string>
#include <vector>

namespace kvsplit::cli {

/// The arguments of a call, ours and those that are handed on to a program of llama.cpp.
struct SplitArguments {
  std::vector<std::string> own;
  std::vector<std::string> handed_on;
};

/// `exec`, `run`, `chat` and `serve` hand arguments on, and neither may the program's options be
/// read as ours nor ours as its own. Given the arguments after "kvsplit":
///   run -m x --kvq K8V4 -n 9     own: run --kvq K8V4   handed on: -m x -n 9
///   exec --kvq 8 llama-cli -m x  own: exec --kvq 8     handed on: llama-cli -m x
/// After "exec" ours end at the program's name, after the others at a "--". Arguments of other
/// commands are all ours.
SplitArguments split_arguments(const std::vector<std::string>& arguments);

/// What the last of the spellings among the arguments is given, "--spelling value" or
/// "--spelling=value"; without any the environment variable that llama.cpp reads instead.
std::optional<std::string> given(const std::vector<std::string>& arguments,
                                 const std::vector<std::string>& spellings,
                                 const char* variable = "");

}  // namespace kvsplit::cli
