#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "cli/catalogue.h"
#include "cli/command.h"
#include "report/table.h"

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

const CatalogueModel& chosen(const PullOptions& options) {
  if (options.name.empty()) return demo_model();
  const CatalogueModel* model = find_model(options.name);
  if (model != nullptr) return *model;
  std::string names;
  for (const CatalogueModel& known : catalogue()) names += (names.empty() ? "" : ", ") + known.name;
  throw Error(
      fmt::format("model {}: not one that can be pulled, which are {}", options.name, names));
}

void print_list() {
  report::Table table;
  for (const char* title : {"name", "what it is"})
    table.add_column(title, report::Table::Align::left);
  table.add_column("MB");
  table.add_column("here", report::Table::Align::left);
  for (const CatalogueModel& model : catalogue()) {
    table.add_row({model.name, model.about,
                   fmt::format("{:.0f}", static_cast<double>(model.bytes) / 1e6),
                   std::filesystem::exists(pulled_file(model)) ? "yes" : "no"});
  }
  std::fputs(table.text().c_str(), stdout);
}

int run(const PullOptions& options) {
  if (options.list) {
    print_list();
    return 0;
  }
  const CatalogueModel& model = chosen(options);
  const std::string file = pulled_file(model).string();
  if (options.path) {
    fmt::print("{}\n", file);
    return 0;
  }
  const bool is_new = fetch(model) == Fetched::now;
  fmt::print("{}: {} {}\n", model.name, is_new ? "now in" : "verified, already in", file);
  return 0;
}

}  // namespace

void add_pull(CLI::App& program, int& exit_code) {
  add_command(program, exit_code, "pull", "Get a small model to try things with",
              "kvsplit pull gemma3-270m", PullOptions{});
}

}  // namespace kvsplit::cli
