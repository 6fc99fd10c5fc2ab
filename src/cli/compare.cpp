#include <fmt/format.h>

#include <filesystem>
#include <iostream>

#include "base/error.h"
#include "base/system.h"
#include "cli/command.h"
#include "cli/options.h"
#include "host/backend.h"
#include "host/model.h"
#include "report/page.h"

namespace kvsplit::cli {
namespace {

namespace fs = std::filesystem;

struct CompareOptions : TextOptions {
  std::vector<std::string> stock;
  std::string device, rpc, animation;
  int repetitions = 3;
  double max_kl = report::unnoticed_kl;
};

void add_options(CLI::App& app, CompareOptions& options) {
  options.chunks = 1;
  add_text_options(app, options);
  add_value(app, "--stock", options.stock, "K/V,…",
            "llama.cpp's own cache types to put beside them, for example q8_0/q4_0; or none")
      ->delimiter(',');
  add_window_options(app, options);
  add_count(app, "-r,--repetitions", options.repetitions, 1, 1000,
            "How often speed is measured; the median counts, slow caches are measured less often");
  add_value(app, "--max-kl", options.max_kl, "NATS",
            "The loss, above that of llama.cpp's f16 cache, with which a cache may be recommended");
  add_value(app, "--device", options.device, "NAME",
            "Compare llama.cpp's own types on this device instead, where kvsplit has no kernels");
  add_value(app, "--rpc", options.rpc, "HOST:PORT,…",
            "RPC servers whose devices --device may name");
  add_value(app, "--animate", options.animation, "FILE",
            "Also write a moving picture of how memory grows with the context, to a .svg file");
}

Caches caches(const CompareOptions& options) {
  std::vector<std::string> stock = options.stock;
  if (!options.device.empty()) {
    if (!options.packed.caches({}).empty()) {
      throw Error("--kvq: kvsplit runs on the CPU, leave it out with --device");
    }
    if (stock.empty()) stock = {"q8_0/q8_0", "q8_0/q4_0", "q4_0/q4_0"};
    return beside(host::parse_stock_cache("f16/f16"), stock_caches(stock));
  }
  if (stock.empty()) stock = {"f16/f16", "q8_0/q4_0", "q4_0/q4_0"};
  return beside(host::kvsplit_cache({16, 16}),
                options.caches_and_plan({"K8V8", "K8V4", "K4V8", "K4V4"}), stock_caches(stock));
}

std::string heading(const host::Model& model, const measure::ComparisonCall& call,
                    const CompareOptions& options) {
  return fmt::format("{} ({} tokens of context), {} of {} tokens of {}, {} threads\n\n",
                     model.name(), report::grouped(model.n_context()),
                     call.n_windows == 1 ? "a window" : fmt::format("{} windows", call.n_windows),
                     report::grouped(call.window), fs::path(options.text).filename().string(),
                     call.n_threads);
}

std::string results(const std::vector<measure::CacheRecord>& records, double max_kl) {
  std::string text = fmt::format(
      "{}\nMiB: the cache of {} tokens, as allocated. Speed: with {} tokens in the cache.\n{}",
      report::table(records).text(), report::grouped(*records[0].kv_context),
      report::grouped(*records[0].depth), report::damage_legend(records));
  const std::string advice = report::recommendation(records, max_kl);
  if (!advice.empty()) text += "\n" + advice + "\n";
  return text;
}

int run(const CompareOptions& options) {
  const Caches choices = caches(options);
  check_folder("--animate", options.animation);
  if (!options.animation.empty() && choices.size() < 2) {
    throw Error("--animate: there is no cache beside the first one");
  }
  options.start();
  host::add_rpc_servers(options.rpc);
  const std::string text = read_text(options.text);
  ProgressBar bar;
  const host::Model packed = options.load("KVSPLIT", bar);
  const host::Model stock = options.load(options.device.empty() ? "CPU" : options.device, bar);
  const std::vector<host::Token> tokens = packed.tokenize(text);
  measure::ComparisonCall call = comparison(options, packed, choices, tokens, bar);
  call.stock = &stock;
  call.size_context = packed.n_context();
  call.speed_rounds = options.repetitions;
  bar.clear();
  const std::string above = heading(packed, call, options);
  std::cout << above << std::flush;
  const auto records = measure::compare_caches(call);
  bar.clear();
  options.show(records, above, results(records, options.max_kl));
  if (options.animation.empty()) return 0;
  const std::string layout = read_text(shipped("share/report/animation.svg"));
  if (!replace_file(options.animation, report::animation(layout, records))) {
    throw Error(fmt::format("--animate {}: cannot be written", options.animation));
  }
  return 0;
}

}  // namespace

void add_compare(CLI::App& program, int& exit_code) {
  add_command<CompareOptions>(
      program, exit_code, "compare",
      "Show what packed caches are worth on a model: memory, speed, quality",
      "kvsplit compare -m model.gguf -f text.txt -c 2048 -o results.json");
}

}  // namespace kvsplit::cli
