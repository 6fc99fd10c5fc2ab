#include <fmt/format.h>

#include <cstdio>

#include "cli/command.h"
#include "cli/options.h"
#include "host/backend.h"

namespace kvsplit::cli {
namespace {

struct InfoOptions : ModelOptions {};

void add_options(CLI::App& app, InfoOptions& options) { add_model_options(app, options); }

void print_facts(const host::Model& model) {
  const host::ModelFacts facts = model.facts();
  const auto line = [](const char* what, const std::string& value) {
    fmt::print("{:14} {}\n", what, value);
  };
  line("file", model.file());
  line("architecture", facts.architecture);
  line("file type",
       fmt::format("{}, {} parameters, {}", facts.file_type, report::grouped(facts.n_parameters),
                   report::bytes(facts.file_bytes)));
  line("layers", std::to_string(facts.n_layers));
  line("heads", fmt::format("{}, {} of keys and values", facts.n_heads, facts.n_kv_heads));
  line("context", report::grouped(model.n_context()) + " tokens");
  if (facts.sliding_window > 0) {
    line("window", report::grouped(facts.sliding_window) + " tokens in sliding-window layers");
  }
}

void print_costs(const host::Model& model, const Caches& caches) {
  report::Table table{
      {"cache", "per 1,000 tokens", "fixed", "at " + report::grouped(model.n_context())}};
  for (const host::CacheChoice& cache : caches) {
    const measure::CacheCost cost = measure::measure_cost(model, cache);
    table.rows.push_back(
        {cache.name(), report::bytes(1000 * cost.bytes_per_token), report::bytes(cost.fixed_bytes),
         report::bytes(cost.fixed_bytes + cost.bytes_per_token * model.n_context())});
  }
  fmt::print("\nIts cache:\n{}", table.text());
}

int run(const InfoOptions& options) {
  const Caches caches = options.packed.caches({"FP16", "K8V4", "K4V4"});
  host::start(options.verbose);
  ProgressBar bar;
  const host::Model model = options.load("KVSPLIT", bar);
  bar.clear();
  print_facts(model);
  std::fflush(stdout);
  print_costs(model, caches);
  return 0;
}

}  // namespace

void add_info(CLI::App& program, int& exit_code) {
  add_command<InfoOptions>(program, exit_code, "info",
                           "Say what a model is and what its cache costs",
                           "kvsplit info -m model.gguf --kvq FP16,K8V4,K4V4");
}

}  // namespace kvsplit::cli
