#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "cli/command.h"
#include "cli/options.h"
#include "host/backend.h"

// `info` and `plan` both read no more than a model file's header.
namespace kvsplit::cli {
namespace {

using Align = report::Table::Align;

struct PlanOptions : ModelOptions {
  bool is_info = false;  ///< the short form
  std::optional<std::uint64_t> memory;
  int context = 0;
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
  report::Table table{.columns = {{"cache", Align::left},
                                  {"context"},
                                  {"its cache"},
                                  {"weights"},
                                  {"working"},
                                  {"in all"}}};
  for (const host::CacheChoice& cache : caches) {
    const int n_context = asked.context > 0 ? asked.context : model.n_context();
    const host::Footprint taken = asked.memory
                                      ? measure::longest_context(model, cache, *asked.memory)
                                      : measure::footprint(model, n_context, cache);
    std::vector<std::string> row = {cache.name(), report::grouped(taken.n_context)};
    for (const std::size_t part :
         {taken.cache.bytes(), taken.weights, taken.working, taken.bytes()}) {
      row.push_back(taken.n_context > 0 ? report::bytes(static_cast<double>(part)) : "too much");
    }
    table.rows.push_back(std::move(row));
  }
  return table.text();
}

std::string settings_elsewhere(const Caches& caches) {
  const std::map<int, const char*> types = {{4, "q4_0"}, {5, "q5_0"}, {8, "q8_0"}, {16, "f16"}};
  report::Table table{
      .columns = {{"cache", Align::left}, {"program", Align::left}, {"setting", Align::left}}};
  for (const host::CacheChoice& cache : caches) {
    const int k_bits = cache.k_bits();
    const int v_bits = cache.v_bits();
    std::istringstream lines(read_text(shipped("share/plan/other-programs.txt")));
    std::string last;
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string program, setting;
      int most_k = 0, most_v = 0;
      words >> program >> most_k >> most_v >> std::ws;
      std::getline(words, setting);
      if (k_bits > most_k || v_bits > most_v || program == last) continue;  // or a comment
      last = program;
      std::ranges::replace(program, '_', ' ');
      table.rows.push_back(
          {cache.name(), program,
           fmt::format(fmt::runtime(setting), types.lower_bound(k_bits)->second,
                       types.lower_bound(v_bits)->second, std::max(k_bits, v_bits))});
    }
  }
  return table.text();
}

int run(const PlanOptions& options) {
  const Caches caches = options.packed.caches({"FP16", "K8V8", "K8V4", "K4V4", "K2V2"});
  host::start(options.verbose);
  const host::Model model = host::Model::without_weights(model_file(options.model));
  if (options.is_info) print_facts(model);
  fmt::print("{}", footprints(model, caches, options));
  if (options.is_info) return 0;
  fmt::print(
      "\nThe model was made for {} tokens. Weights: the file, mapped, and llama.cpp's copies in "
      "the "
      "order that\nthis processor likes. Working memory: for one text in pieces of 512 tokens, "
      "with the states of layers\nthat have no cache.\n\nWhat comes nearest in other programs, "
      "with no fewer bits where they have them:\n\n{}",
      report::grouped(model.n_context()), settings_elsewhere(caches));
  return 0;
}

}  // namespace

void add_info(CLI::App& program, int& exit_code) {
  PlanOptions info;
  info.is_info = true;
  add_command<PlanOptions>(program, exit_code, "info",
                           "Say what a model is and what memory it takes",
                           "kvsplit info -m model.gguf --kvq FP16,K8V4,K4V4", info);
}

void add_plan(CLI::App& program, int& exit_code) {
  add_command<PlanOptions>(program, exit_code, "plan",
                           "Say what context fits into memory, from the file's header alone",
                           "kvsplit plan -m model.gguf --memory 4G --kvq FP16,K8V4,K4V4");
}

}  // namespace kvsplit::cli
