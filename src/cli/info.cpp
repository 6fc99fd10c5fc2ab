#include <fmt/format.h>

#include <cstdio>

#include "cli/command.h"
#include "cli/options.h"
#include "host/backend.h"
#include "measure/size.h"
#include "report/numbers.h"
#include "report/table.h"

namespace kvsplit::cli {
namespace {

struct InfoOptions {
  std::string model;
  PrecisionOptions caches;
  bool verbose = false;
};

void add_options(CLI::App& app, InfoOptions& options) {
  app.add_option("model,-m,--model", options.model, "Model (default: the demo model)")
      ->type_name("FILE");
  add_precision_list_option(app, options.caches);
  app.add_flag("-v,--verbose", options.verbose, "Show llama.cpp's own log");
}

void print_facts(const host::Model& model) {
  const host::ModelFacts facts = model.facts();
  const auto line = [](const char* what, const std::string& value) {
    fmt::print("{:14} {}\n", what, value);
  };
  line("file", model.file());
  if (!facts.name.empty()) line("name", facts.name);
  line("architecture", facts.architecture);
  line("file type", fmt::format("{}, {} parameters, {}", facts.file_type,
                                report::grouped(static_cast<std::int64_t>(facts.n_parameters)),
                                report::bytes(static_cast<double>(facts.file_bytes))));
  line("layers", std::to_string(facts.n_layers));
  line("heads", fmt::format("{}, {} of keys and values", facts.n_heads, facts.n_kv_heads));
  line("context", report::grouped(facts.n_context) + " tokens");
  if (facts.sliding_window > 0) {
    line("window", report::grouped(facts.sliding_window) + " tokens in sliding-window layers");
  }
}

void print_costs(const host::Model& model, const std::vector<Precision>& precisions) {
  report::Table table;
  table.add_column("cache", report::Table::Align::left);
  table.add_column("per 1,000 tokens");
  table.add_column("fixed");
  table.add_column("at " + report::grouped(model.n_context()));
  for (const Precision& precision : precisions) {
    const measure::CacheCost cost = measure::measure_cost(model, host::kvsplit_cache(precision));
    table.add_row({to_string(precision), report::bytes(1000 * cost.bytes_per_token),
                   report::bytes(cost.fixed_bytes),
                   report::bytes(cost.fixed_bytes + cost.bytes_per_token * model.n_context())});
  }
  fmt::print("\nIts cache:\n{}", table.text());
}

int run(const InfoOptions& options) {
  const auto precisions = options.caches.precisions({{16, 16}, {8, 4}, {4, 4}});
  host::start(options.verbose);
  ProgressBar bar;
  const host::Model model = load_model(options.model, "KVSPLIT", bar);
  bar.clear();
  print_facts(model);
  std::fflush(stdout);
  print_costs(model, precisions);
  return 0;
}

}  // namespace

void add_info(CLI::App& program, int& exit_code) {
  add_command(program, exit_code, "info", "Say what a model is and what its cache costs",
              "kvsplit info -m model.gguf --kvq FP16,K8V4,K4V4", InfoOptions{});
}

}  // namespace kvsplit::cli
