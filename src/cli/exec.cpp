#include "base/error.h"
#include "cli/command.h"
#include "cli/launch.h"
#include "cli/paths.h"

namespace kvsplit::cli {
namespace {

struct ExecOptions : LaunchOptions {};

void add_options(CLI::App& app, ExecOptions& options) {
  add_launch_options(app, options);
  app.add_option("program", options.arguments, "Program and its arguments, handed on as they are")
      ->type_name("PROGRAM ARGUMENTS…");
}

int run(const ExecOptions& options) {
  if (options.arguments.empty())
    throw Error("exec: a program is required; see kvsplit exec --help");
  LaunchOptions of_program = options;
  const std::string name = options.arguments[0];
  of_program.arguments.erase(of_program.arguments.begin());
  return launch(find_program(name), of_program);
}

}  // namespace

void add_exec(CLI::App& program, int& exit_code, const HandedOn& handed_on) {
  ExecOptions options;
  options.arguments = handed_on;
  add_command(program, exit_code, "exec", "Run any program of llama.cpp with the packed cache",
              "kvsplit exec --kvq K8V4 -- llama-server -m model.gguf -c 32768", options);
}

}  // namespace kvsplit::cli
