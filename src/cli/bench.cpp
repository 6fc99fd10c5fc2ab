#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <set>

#include "base/error.h"
#include "cli/command.h"
#include "cli/suite.h"
#include "measure/speed.h"

namespace kvsplit::cli {
namespace {

struct BenchOptions : SuiteOptions {
  std::set<int> depths;
  measure::SpeedCall speed;
};

void add_options(CLI::App& app, BenchOptions& options) {
  add_text_options(app, options);
  add_value(app, "--stock", options.stock, "K/V,…",
            "llama.cpp's own cache types beside f16/f16 (default: q8_0/q4_0); or none at all")
      ->delimiter(',');
  app.add_flag("--suite", options.is_suite,
               "Measure memory, speed and quality of every cache at several lengths of context, "
               "into -o FILE.json, from which a run that was stopped goes on");
  add_value(app, "--seq-len,--lengths", options.lengths, "N,…",
            "Lengths of --suite (default: 128,512,2048,4096,8192, as far as model and text go)")
      ->delimiter(',')
      ->check(CLI::Range(64, 1 << 24));
  add_value(app, "--config", options.packed.both, "PRECISION,…", "The same as --kvq")
      ->delimiter(',');
  add_count(app, "--chunks", options.chunks, 1, 1 << 20,
            "Windows of --suite at most, from the start of the text");
  app.add_flag("--long", options.is_long, "With --suite also 32,768 tokens");
  add_count(app, "-p,--n-prompt", options.speed.prompt_tokens, 0, 1 << 20,
            "Tokens of the prompt; 0 = none");
  add_count(app, "-n,--n-gen", options.speed.decode_tokens, 0, 1 << 20,
            "Tokens decoded one by one; 0 = none");
  add_value(app, "-d,--n-depth", options.depths, "N,…",
            "Tokens in the cache before (default: those of 0,2048,8192 that the model's context "
            "has room for)")
      ->delimiter(',')
      ->check(CLI::Range(0, 1 << 24));
  add_count(app, "-r,--repetitions", options.speed.rounds, 1, 1000,
            "Rounds; in each, all caches take their turn");
}

Caches caches(const BenchOptions& options) {
  const Caches stock = stock_caches(options.stock.value_or(std::vector<std::string>{"q8_0/q4_0"}));
  const Caches packed = options.packed.caches({"FP16", "K8V8", "K8V4", "K4V4"});
  return stock.empty() ? packed : beside(host::parse_stock_cache("f16/f16"), stock, packed);
}

std::vector<int> depths(const BenchOptions& options, int n_context) {
  if (!options.depths.empty()) return {options.depths.begin(), options.depths.end()};
  const int more = std::max(options.speed.prompt_tokens, options.speed.decode_tokens + 1);
  std::vector<int> depths = {0, 2048, 8192};
  std::erase_if(depths, [&](int depth) { return depth > 0 && depth + more > n_context; });
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
  if (options.is_suite) return run_suite(options, options.speed.rounds);
  if (options.speed.prompt_tokens == 0 && options.speed.decode_tokens == 0) {
    throw Error("-p 0 -n 0: that leaves nothing to measure");
  }
  const Caches choices = caches(options);
  options.start();
  ProgressBar bar;
  const host::Model packed = options.load("KVSPLIT", bar);
  std::optional<host::Model> stock;
  if (!choices[0].is_packed) stock = options.load("CPU", bar);
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
  std::cout << above << std::flush;
  const auto records = measure::bench_caches(call);
  bar.clear();
  options.show(records, above, report::speed_table(records).text() + "\n" + legend(call));
  return 0;
}

}  // namespace

void add_bench(CLI::App& program, int& exit_code) {
  add_command<BenchOptions>(
      program, exit_code, "bench",
      "Measure the speed of caches, prompts and single tokens as llama-bench does",
      "kvsplit bench -m model.gguf --kvq K8V4,K4V4 -d 0,8192 -o speed.json");
}

}  // namespace kvsplit::cli
