#pragma once

#include <string>
#include <vector>

namespace kvsplit::cli {

/// `exec`, `run`, `chat` and `serve` hand their arguments on to a program of llama.cpp, and its
/// options must not be read as ours, nor ours as its own. Given the arguments after "kvsplit",
/// moves our options of these commands to the front and what belongs to the program behind a "--":
///   run -m x --kvq K8V4 -n 9     becomes   run --kvq K8V4 -- -m x -n 9
///   exec --kvq 8 llama-cli -m x  becomes   exec --kvq 8 -- llama-cli -m x
/// After "exec" ours end at the program's name, after the others at a "--". Arguments of other
/// commands are returned as they are.
std::vector<std::string> own_options_first(const std::vector<std::string>& arguments);

/// Is one of the spellings among the arguments, alone or as "--spelling=value"?
bool has_option(const std::vector<std::string>& arguments,
                const std::vector<std::string>& spellings);

/// The value behind the last of the spellings, "" where there is none.
std::string option_value(const std::vector<std::string>& arguments,
                         const std::vector<std::string>& spellings);

}  // namespace kvsplit::cli
