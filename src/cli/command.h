#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>

namespace kvsplit::cli {

/// Adds a command to the program. A command is a struct of options, add_options(CLI::App&,
/// Options&) and run(const Options&), which returns the exit code; main() stores it in `exit_code`.
template <class Options>
void add_command(CLI::App& program, int& exit_code, const std::string& name,
                 const std::string& description, const std::string& example, Options defaults) {
  auto options = std::make_shared<Options>(std::move(defaults));
  CLI::App* command = program.add_subcommand(name, description);
  command->footer("Example:\n  " + example);
  add_options(*command, *options);
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

void add_exec(CLI::App& program, int& exit_code);
void add_run(CLI::App& program, int& exit_code);
void add_chat(CLI::App& program, int& exit_code);
void add_serve(CLI::App& program, int& exit_code);
void add_compare(CLI::App& program, int& exit_code);
void add_perplexity(CLI::App& program, int& exit_code);
void add_info(CLI::App& program, int& exit_code);
void add_pull(CLI::App& program, int& exit_code);

}  // namespace kvsplit::cli
