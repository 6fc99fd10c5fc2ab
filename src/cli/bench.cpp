#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/error.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/progress_bar.h"
#include "measure/bench.h"
#include "report/numbers.h"
#include "report/speed_table.h"

namespace kvsplit::cli {
namespace {

struct BenchOptions : MeasureOptions {
  PrecisionListOption packed;
  std::vector<std::string> stock;
  std::vector<int> depths;
  int prompt_tokens = 512;
  int decode_tokens = 32;
  int repetitions = 3;
};

void add_options(CLI::App& app, BenchOptions& options) {
  add_measure_options(app, options);
  add_precision_list_option(app, options.packed);
  app.add_option("--stock", options.stock,
                 "llama.cpp's own cache types beside f16/f16 (default: q8_0/q4_0); or none at all")
      ->delimiter(',')
      ->type_name("K/V,…");
  const auto add_count = [&](const char* name, int& count, const char* help) {
    app.add_option(name, count, help)
        ->check(CLI::Range(0, 1 << 20))
        ->capture_default_str()
        ->type_name("N");
  };
  add_count("-p,--n-prompt", options.prompt_tokens, "Tokens of the prompt; 0 = none");
  add_count("-n,--n-gen", options.decode_tokens, "Tokens decoded one by one; 0 = none");
  app.add_option("-d,--n-depth", options.depths,
                 "Tokens in the cache before (default: those of 0,2048,8192 that the model's "
                 "context has room for)")
      ->delimiter(',')
      ->check(CLI::Range(0, 1 << 24))
      ->type_name("N,…");
  add_repetitions_option(app, options.repetitions, "Rounds; in each, all caches take their turn");
}

std::vector<host::CacheChoice> caches(const BenchOptions& options) {
  const std::vector<std::string> stock =
      options.stock.empty() ? std::vector<std::string>{"q8_0/q4_0"} : options.stock;
  std::vector<host::CacheChoice> choices;
  if (stock[0] != "none") {
    choices.push_back(host::parse_stock_cache("f16/f16"));
    for (const std::string& types : stock) {
      const host::CacheChoice choice = host::parse_stock_cache(types);
      if (choice.name() != choices[0].name()) choices.push_back(choice);
    }
  }
  std::vector<Precision> packed = options.packed.precisions();
  if (packed.empty()) packed = {parse_precision("FP16"), {8, 8}, {8, 4}, {4, 4}};
  std::transform(packed.begin(), packed.end(), std::back_inserter(choices), host::kvsplit_cache);
  return choices;
}

std::vector<int> depths(const BenchOptions& options, int n_context) {
  std::vector<int> depths = options.depths;
  if (depths.empty()) {
    const int more = std::max(options.prompt_tokens, options.decode_tokens + 1);
    depths = {0, 2048, 8192};
    std::erase_if(depths, [&](int depth) { return depth > 0 && depth + more > n_context; });
  }
  std::sort(depths.begin(), depths.end());
  depths.erase(std::unique(depths.begin(), depths.end()), depths.end());
  return depths;
}

std::string legend(const measure::BenchCall& call) {
  return fmt::format(
      "Prompts of {}, then {} single tokens, depth tokens in the cache before; median of {} "
      "rounds.\n",
      report::grouped(call.speed.prompt_tokens), report::grouped(call.speed.decode_tokens),
      call.speed.rounds);
}

int run(const BenchOptions& options) {
  if (options.prompt_tokens == 0 && options.decode_tokens == 0) {
    throw Error("-p 0 -n 0: that leaves nothing to measure");
  }
  const std::vector<host::CacheChoice> choices = caches(options);
  options.start();
  const std::string file = model_file(options.model);
  ProgressBar bar;
  const auto loading = [&](double done) { bar.show("loading", done); };
  const host::Model packed(file, "KVSPLIT", loading);
  std::unique_ptr<host::Model> stock;
  if (choices[0].engine == host::Engine::stock) {
    stock = std::make_unique<host::Model>(file, "CPU", loading);
  }
  const std::vector<int> all_depths = depths(options, packed.n_context());

  measure::BenchCall call;
  call.packed = &packed;
  call.stock = stock.get();
  call.caches = choices;
  call.n_threads = options.n_threads();
  call.depths = all_depths;
  call.speed.prompt_tokens = options.prompt_tokens;
  call.speed.decode_tokens = options.decode_tokens;
  call.speed.rounds = options.repetitions;
  call.progress = [&](const std::string& what, double done) { bar.show(what, done); };
  bar.clear();
  const std::string above = report::setting_text(measure::describe_setting(call)) + "\n";
  fmt::print("{}", above);
  std::fflush(stdout);
  const auto records = measure::bench_caches(call);
  bar.clear();
  const std::string below = report::speed_table(records).text() + "\n" + legend(call);
  fmt::print("{}", below);
  if (!options.output.empty()) report::write(options.output, records, above + below);
  return 0;
}

}  // namespace

void add_bench(CLI::App& program, int& exit_code) {
  add_command(program, exit_code, "bench",
              "Measure the speed of caches, prompts and single tokens as llama-bench does",
              "kvsplit bench -m model.gguf --kvq K8V4,K4V4 -d 0,8192 -o speed.json",
              BenchOptions{});
}

}  // namespace kvsplit::cli
