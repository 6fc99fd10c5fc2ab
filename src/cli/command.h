#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace kvsplit::cli {

inline constexpr int exit_wrong_use = 2;

/// Adds a command to the program. A command is a struct of options, add_options(CLI::App&,
/// Options&) and run(const Options&), which returns the exit code; main() stores it in `exit_code`.
template <class Options>
void add_command(CLI::App& program, int& exit_code, const std::string& name,
                 const std::string& description, const std::string& example,
                 Options defaults = Options()) {
  auto options = std::make_shared<Options>(std::move(defaults));
  CLI::App* command = program.add_subcommand(name, description);
  command->footer("Example:\n  " + example);
  add_options(*command, *options);
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

// The commands run, chat, serve and exec hand arguments on to a program of llama.cpp
// (cli/arguments.h) and get them as they are: CLI11 would take a prompt like "[a, b]" apart.
using HandedOn = std::vector<std::string>;
void add_launchers(CLI::App& program, int& exit_code, const HandedOn& handed_on);

void add_bench(CLI::App& program, int& exit_code);
void add_compare(CLI::App& program, int& exit_code);
void add_calibrate(CLI::App& program, int& exit_code);
void add_explain(CLI::App& program, int& exit_code);
void add_tune(CLI::App& program, int& exit_code);
void add_perplexity(CLI::App& program, int& exit_code);
void add_demo(CLI::App& program, int& exit_code);
void add_info(CLI::App& program, int& exit_code);
void add_plan(CLI::App& program, int& exit_code);
void add_report(CLI::App& program, int& exit_code);
void add_pull(CLI::App& program, int& exit_code);

}  // namespace kvsplit::cli
