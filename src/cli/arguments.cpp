#include "cli/arguments.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/system.h"

namespace kvsplit::cli {
namespace {

bool contains(const auto& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

/// "--name" of "--name=value"
std::string_view name_of(std::string_view argument) {
  return argument.substr(0, argument.find('='));
}

}  // namespace

SplitArguments split_arguments(const std::vector<std::string>& arguments) {
  constexpr std::array commands = {"exec", "run", "chat", "serve"};
  constexpr std::array own_options = {"--kvq", "--kvq-key", "--kvq-val", "--weights-on"};
  constexpr std::array own_flags = {"--meter", "--help"};
  if (arguments.empty() || !contains(commands, arguments[0])) return {arguments, {}};
  const bool ends_at_program = arguments[0] == "exec";

  SplitArguments split = {{arguments[0]}, {}};
  auto next = arguments.begin() + 1;
  for (; next != arguments.end() && *next != "--"; ++next) {
    const bool takes_value = contains(own_options, name_of(*next));
    if (ends_at_program && !next->starts_with('-')) break;
    const bool is_own = takes_value || ends_at_program || contains(own_flags, *next);
    auto& part = is_own ? split.own : split.handed_on;
    part.push_back(*next);
    const bool has_value = next->find('=') != std::string::npos || next + 1 == arguments.end();
    if (takes_value && !has_value) part.push_back(*++next);
  }
  if (next != arguments.end() && *next == "--") ++next;
  split.handed_on.insert(split.handed_on.end(), next, arguments.end());
  return split;
}

std::optional<std::string> given(const std::vector<std::string>& arguments,
                                 const std::vector<std::string>& spellings, const char* variable) {
  std::optional<std::string> value;
  if (!environment(variable).empty()) value = environment(variable);
  for (auto next = arguments.begin(); next != arguments.end(); ++next) {
    const std::string_view name = name_of(*next);
    if (!contains(spellings, name)) continue;
    const bool is_behind = name == *next && next + 1 != arguments.end();
    value = is_behind ? *(next + 1) : next->substr(std::min(name.size() + 1, next->size()));
  }
  return value;
}

}  // namespace kvsplit::cli
