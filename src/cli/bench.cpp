#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "cli/command.h"
#include "cli/options.h"
#include "measure/bench.h"
#include "report/numbers.h"
#include "report/speed_table.h"

namespace kvsplit::cli {
namespace {

struct BenchOptions : MeasureOptions {
  PrecisionOptions packed;
  std::vector<std::string> stock;
  std::vector<int> depths;
  measure::SpeedCall speed;
};

void add_options(CLI::App& app, BenchOptions& options) {
  add_measure_options(app, options);
  add_precision_list_option(app, options.packed);
  app.add_option("--stock", options.stock,
                 "llama.cpp's own cache types beside f16/f16 (default: q8_0/q4_0); or none at all")
      ->delimiter(',')
      ->type_name("K/V,…");
  add_count(app, "-p,--n-prompt", options.speed.prompt_tokens, 0, 1 << 20,
            "Tokens of the prompt; 0 = none")
      ->capture_default_str();
  add_count(app, "-n,--n-gen", options.speed.decode_tokens, 0, 1 << 20,
            "Tokens decoded one by one; 0 = none")
      ->capture_default_str();
  app.add_option("-d,--n-depth", options.depths,
                 "Tokens in the cache before (default: those of 0,2048,8192 that the model's "
                 "context has room for)")
      ->delimiter(',')
      ->check(CLI::Range(0, 1 << 24))
      ->type_name("N,…");
  add_count(app, "-r,--repetitions", options.speed.rounds, 1, 1000,
            "Rounds; in each, all caches take their turn")
      ->capture_default_str();
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
  const auto packed = options.packed.precisions({{16, 16}, {8, 8}, {8, 4}, {4, 4}});
  std::transform(packed.begin(), packed.end(), std::back_inserter(choices), host::kvsplit_cache);
  return choices;
}

std::vector<int> depths(const BenchOptions& options, int n_context) {
  std::vector<int> depths = options.depths;
  if (depths.empty()) {
    const int more = std::max(options.speed.prompt_tokens, options.speed.decode_tokens + 1);
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
  if (options.speed.prompt_tokens == 0 && options.speed.decode_tokens == 0) {
    throw Error("-p 0 -n 0: that leaves nothing to measure");
  }
  const std::vector<host::CacheChoice> choices = caches(options);
  options.start();
  ProgressBar bar;
  const host::Model packed = load_model(options.model, "KVSPLIT", bar);
  std::optional<host::Model> stock;
  if (choices[0].engine == host::Engine::stock) stock = load_model(options.model, "CPU", bar);
  const std::vector<int> all_depths = depths(options, packed.n_context());

  measure::BenchCall call;
  call.packed = &packed;
  call.stock = stock ? &*stock : nullptr;
  call.caches = choices;
  call.n_threads = options.threads;
  call.depths = all_depths;
  call.speed = options.speed;
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
