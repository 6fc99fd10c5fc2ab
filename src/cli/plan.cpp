#include <fmt/format.h>

#include <sstream>

#include "cli/command.h"
#include "cli/options.h"
#include "host/backend.h"

// `info` and `plan` both read no more than a model file's header.
namespace kvsplit::cli {
namespace {

struct PlanOptions : ModelOptions {
  bool is_info = false;  ///< the short form
  std::optional<std::uint64_t> memory = {};
  std::optional<int> context = {};
};

void add_options(CLI::App& app, PlanOptions& options) {
  add_model_options(app, options);
  if (options.is_info) return;
  CLI::Option* const memory =
      add_value(app, "--memory", options.memory, "SIZE",
                "Say what context fits into so much memory, for example 900M or 4G");
  memory->transform(CLI::AsSizeValue(false).description(""));
  add_value(app, "-c,--context", options.context, "N",
            "Say what a context of N tokens takes (default: the model's)")
      ->check(CLI::Range(1, 1 << 26))
      ->excludes(memory);
}

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
  fmt::print("\n");
}

std::string footprints(const host::Model& model, const Caches& caches, const PlanOptions& asked) {
  const int usual = model.n_context();
  report::Table table{
      .titles = {"cache", "context", "its cache", "1,000 more", "weights", "working", "in all"}};
  for (const host::CacheChoice& cache : caches) {
    const host::Footprint taken =
        asked.memory ? measure::longest_context(model, cache, *asked.memory)
                     : measure::footprint(model, asked.context.value_or(usual), cache);
    // From there on caches of sliding windows no longer grow.
    const auto more = measure::footprint(model, usual + 1024, cache).cache.bytes() -
                      measure::footprint(model, usual, cache).cache.bytes();
    std::vector<std::string> row = {cache.name(), report::grouped(taken.n_context)};
    for (const double part : {1.0 * taken.cache.bytes(), more / 1.024, 1.0 * taken.weights,
                              1.0 * taken.working, 1.0 * taken.bytes()}) {
      row.push_back(taken.n_context > 0 ? report::bytes(part) : "too much");
    }
    table.rows.push_back(std::move(row));
  }
  return table.text();
}

std::string settings_elsewhere(const Caches& caches) {
  report::Table table{.titles = {"cache", "program", "setting"}};
  const std::string settings = read_text(shipped("share/plan/other-programs.txt"));
  for (const host::CacheChoice& cache : caches) {
    std::istringstream lines(settings);
    std::string last, program, setting;
    for (int k_bits = 0, v_bits = 0; lines >> program >> k_bits >> v_bits >> std::ws;) {
      std::getline(lines, setting);
      if (program == last || cache.k_bits() > k_bits || cache.v_bits() > v_bits) continue;
      table.rows.push_back({cache.name(), last = program, setting});
    }
  }
  return table.text();
}

int run(const PlanOptions& options) {
  const Caches caches = options.packed.caches({"FP16", "K8V8", "K8V4", "K4V4", "K2V2"});
  host::start(options.verbose);
  const host::Model model(model_file(options.model), "KVSPLIT", {}, host::ModelForm::header);
  if (options.is_info) print_facts(model);
  fmt::print("{}", footprints(model, caches, options));
  if (options.is_info) return 0;
  fmt::print(
      R"(
The model was made for {} tokens. Weights: the file, mapped, and llama.cpp's copies in the order
that this processor likes. Working memory: for one text in pieces of 512 tokens, with the states of
layers that have no cache.

What comes nearest in other programs, with no fewer bits where they have them:

{})",
      report::grouped(model.n_context()), settings_elsewhere(caches));
  return 0;
}

}  // namespace

void add_info(CLI::App& program, int& exit_code) {
  add_command<PlanOptions>(program, exit_code, "info",
                           "Say what a model is and what memory it takes",
                           "kvsplit info -m model.gguf --kvq FP16,K8V4,K4V4", {{}, true});
}

void add_plan(CLI::App& program, int& exit_code) {
  add_command<PlanOptions>(program, exit_code, "plan",
                           "Say what context fits into memory, from the file's header alone",
                           "kvsplit plan -m model.gguf --memory 4G --kvq FP16,K8V4,K4V4");
}

}  // namespace kvsplit::cli
