#include "cli/child.h"
#include "cli/command.h"
#include "cli/paths.h"

namespace kvsplit::cli {
namespace {

struct PullOptions {
  std::string name;
  bool list = false, path = false;
};

void add_options(CLI::App& app, PullOptions& options) {
  app.add_option("name", options.name, "Model (default: the demo model)")->type_name("NAME");
  app.add_flag("--list", options.list, "List the models that can be pulled");
  app.add_flag("--path", options.path, "Only print where the model's file is");
}

int run(const PullOptions& options) {
  std::vector<std::string> arguments;
  if (options.list) arguments = {"--list"};
  if (options.path) arguments = {"--path"};
  if (!options.name.empty()) arguments.push_back(options.name);
  return run_child(shipped("scripts/get-model"), arguments) == 0 ? 0 : exit_wrong_use;
}

}  // namespace

void add_pull(CLI::App& program, int& exit_code) {
  add_command<PullOptions>(program, exit_code, "pull", "Get a small model to try things with",
                           "kvsplit pull gemma3-270m");
}

}  // namespace kvsplit::cli
