#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>

#include "base/error.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "kvsplit_build_config.h"

namespace {

namespace cli = kvsplit::cli;

int fail(const std::string& message, int exit_code = cli::exit_wrong_use) {
  std::fputs(fmt::format("kvsplit: {}\n", message).c_str(), stderr);
  return exit_code;
}

void add_commands(CLI::App& program, int& exit_code, const cli::HandedOn& handed_on) {
  program.description(
      "Packed KV caches for llama.cpp, keys and values with their own number of bits.");
  program.set_version_flag(
      "--version",
      fmt::format("kvsplit {} for llama.cpp {} (ggml {})", kvsplit::build_config::version,
                  kvsplit::build_config::llama_cpp_version, kvsplit::build_config::ggml_version));
  program.require_subcommand(1);
  program.set_help_flag("--help", "Print this help and exit");
  program.footer("kvsplit COMMAND --help says more, each with an example.");
  cli::add_compare(program, exit_code);
  cli::add_launchers(program, exit_code, handed_on);
  cli::add_demo(program, exit_code);
  cli::add_calibrate(program, exit_code);
  cli::add_tune(program, exit_code);
  cli::add_explain(program, exit_code);
  cli::add_perplexity(program, exit_code);
  cli::add_bench(program, exit_code);
  cli::add_report(program, exit_code);
  cli::add_info(program, exit_code);
  cli::add_plan(program, exit_code);
  cli::add_pull(program, exit_code);
}

/// CLI11 describes an error in one sentence; where to read on depends on the command.
std::string with_help_hint(std::string sentence, const CLI::App& program) {
  const auto used = program.get_subcommands();
  const std::string command = used.empty() ? "" : used[0]->get_name() + " ";
  std::replace(sentence.begin(), sentence.end(), '\n', ' ');
  return fmt::format("{}; see kvsplit {}--help", sentence, command);
}

/// CLI11 would only say that a command is missing.
void check_command(const std::vector<std::string>& arguments, const CLI::App& program) {
  if (arguments.empty() || arguments[0].empty() || arguments[0].starts_with('-')) return;
  std::string names;
  for (const CLI::App* command : program.get_subcommands({})) {
    if (command->get_name() == arguments[0]) return;
    names += (names.empty() ? "" : ", ") + command->get_name();
  }
  throw kvsplit::Error(fmt::format("no command {}, there are {}", arguments[0], names));
}

int run(int argc, char** argv) {
  cli::SplitArguments arguments = cli::split_arguments({argv + 1, argv + argc});
  int exit_code = 0;
  CLI::App program;
  program.name("kvsplit");
  add_commands(program, exit_code, arguments.handed_on);
  check_command(arguments.own, program);
  std::reverse(arguments.own.begin(), arguments.own.end());  // CLI11 takes them from the back
  try {
    program.parse(std::move(arguments.own));
  } catch (const CLI::Success& help_or_version) {
    return program.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    return fail(with_help_hint(error.what(), program));
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const kvsplit::Error& error) {
    return fail(error.what());
  } catch (const std::bad_alloc& error) {
    return fail(kvsplit::reason_of(error));
  } catch (const std::exception& error) {
    return fail(error.what(), 1);
  }
}
