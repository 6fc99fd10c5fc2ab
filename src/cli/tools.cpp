// run, chat and serve: the three programs of llama.cpp that most people want, found, built if they
// are missing, and started on the demo model if no other is named. exec: any program.
#include "base/error.h"
#include "cli/command.h"
#include "cli/launch.h"
#include "cli/paths.h"

namespace kvsplit::cli {
namespace {

struct ToolOptions : LaunchOptions {
  std::string tool;
};

void add_options(CLI::App& app, ToolOptions& options) {
  add_launch_options(app, options);
  app.add_option("arguments", options.arguments,
                 options.tool + "'s own options; after a -- also those that are called like ours")
      ->type_name("ARGUMENTS…");
}

int run(const ToolOptions& options) { return launch_tool(options.tool, options); }

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
  of_program.arguments.erase(of_program.arguments.begin());
  return launch(find_program(options.arguments[0]), of_program);
}

}  // namespace

void add_launchers(CLI::App& program, int& exit_code, const HandedOn& handed_on) {
  const auto add_tool = [&](const std::string& name, const std::string& tool,
                            const std::string& description, const std::string& example) {
    ToolOptions options;
    options.tool = tool;
    options.arguments = handed_on;
    add_command(program, exit_code, name, description, example, options);
  };
  add_tool("run", "llama-completion", "Complete a text, with llama-completion",
           "kvsplit run --kvq K8V4 -p 'The lighthouse keeper' -n 64 -no-cnv");
  add_tool("chat", "llama-cli", "Chat in the terminal, with llama-cli",
           "kvsplit chat --kvq K4V4 -m model.gguf");
  add_tool("serve", "llama-server", "Serve over HTTP, with llama-server",
           "kvsplit serve --kvq K8V4 -m model.gguf -c 32768 --port 8080");
  ExecOptions options;
  options.arguments = handed_on;
  add_command(program, exit_code, "exec", "Run any program of llama.cpp with the packed cache",
              "kvsplit exec --kvq K8V4 -- llama-server -m model.gguf -c 32768", options);
}

}  // namespace kvsplit::cli
