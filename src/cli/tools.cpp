// run, chat and serve: the three programs of llama.cpp that most people want, found, built if they
// are missing, and started on the demo model if no other is named.
#include "cli/command.h"
#include "cli/launch.h"

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

ToolOptions tool(const std::string& name, const HandedOn& arguments) {
  ToolOptions options;
  options.tool = name;
  options.arguments = arguments;
  return options;
}

}  // namespace

void add_run(CLI::App& program, int& exit_code, const HandedOn& handed_on) {
  add_command(program, exit_code, "run", "Complete a text, with llama-completion",
              "kvsplit run --kvq K8V4 -p 'The lighthouse keeper' -n 64 -no-cnv",
              tool("llama-completion", handed_on));
}

void add_chat(CLI::App& program, int& exit_code, const HandedOn& handed_on) {
  add_command(program, exit_code, "chat", "Chat in the terminal, with llama-cli",
              "kvsplit chat --kvq K4V4 -m model.gguf", tool("llama-cli", handed_on));
}

void add_serve(CLI::App& program, int& exit_code, const HandedOn& handed_on) {
  add_command(program, exit_code, "serve", "Serve over HTTP, with llama-server",
              "kvsplit serve --kvq K8V4 -m model.gguf -c 32768 --port 8080",
              tool("llama-server", handed_on));
}

}  // namespace kvsplit::cli
