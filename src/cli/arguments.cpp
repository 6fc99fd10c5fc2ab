#include "cli/arguments.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace kvsplit::cli {
namespace {

constexpr std::array own_options_with_value = {"--kvq", "--kvq-key", "--kvq-val", "--weights-on"};

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
  if (arguments.empty() || !contains(commands, arguments[0])) return {arguments, {}};
  const bool ends_at_program = arguments[0] == "exec";

  SplitArguments split;
  split.own.push_back(arguments[0]);
  std::size_t i = 1;
  for (; i < arguments.size() && arguments[i] != "--"; ++i) {
    const std::string& argument = arguments[i];
    const bool takes_value = contains(own_options_with_value, name_of(argument));
    if (takes_value || argument == "--help") {
      split.own.push_back(argument);
      const bool has_value = argument.find('=') != std::string::npos;
      if (takes_value && !has_value && i + 1 < arguments.size())
        split.own.push_back(arguments[++i]);
    } else if (ends_at_program && argument[0] != '-') {
      break;
    } else {
      (ends_at_program ? split.own : split.handed_on).push_back(argument);
    }
  }
  if (i < arguments.size() && arguments[i] == "--") ++i;
  split.handed_on.insert(split.handed_on.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i),
                         arguments.end());
  return split;
}

bool has_option(const std::vector<std::string>& arguments,
                const std::vector<std::string>& spellings) {
  return std::any_of(arguments.begin(), arguments.end(), [&](const std::string& argument) {
    return contains(spellings, name_of(argument));
  });
}

std::string option_value(const std::vector<std::string>& arguments,
                         const std::vector<std::string>& spellings) {
  std::string value;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!contains(spellings, name_of(arguments[i]))) continue;
    const std::size_t equals = arguments[i].find('=');
    if (equals != std::string::npos) {
      value = arguments[i].substr(equals + 1);
    } else if (i + 1 < arguments.size()) {
      value = arguments[i + 1];
    }
  }
  return value;
}

}  // namespace kvsplit::cli
