#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "host/backend.h"
#include "measure/comparison.h"
#include "report/numbers.h"
#include "report/records.h"
#include "report/verdict.h"

namespace kvsplit::cli {
namespace {

struct CompareOptions : TextOptions {
  PrecisionOptions packed;
  std::vector<std::string> stock;
  std::string device, rpc;
  int repetitions = 3;
};

void add_options(CLI::App& app, CompareOptions& options) {
  options.chunks = 1;
  add_text_options(app, options);
  add_precision_list_option(app, options.packed);
  app.add_option("--stock", options.stock,
                 "llama.cpp's own cache types to put beside them, for example q8_0/q4_0; or none")
      ->delimiter(',')
      ->type_name("K/V,…");
  add_count(app, "-c,--ctx-size", options.context, 32, 1 << 20,
            "Tokens of the window that is measured on")
      ->capture_default_str();
  add_count(app, "--chunks", options.chunks, 1, 1 << 20, "Windows at most")->capture_default_str();
  add_count(app, "-r,--repetitions", options.repetitions, 1, 1000,
            "How often speed is measured; the median counts, slow caches are measured less often")
      ->capture_default_str();
  app.add_option(
         "--device", options.device,
         "Compare llama.cpp's own types on this device instead, where kvsplit has no kernels")
      ->type_name("NAME");
  app.add_option("--rpc", options.rpc, "RPC servers whose devices --device may name")
      ->type_name("HOST:PORT,…");
}

std::vector<host::CacheChoice> caches(const CompareOptions& options) {
  std::vector<host::CacheChoice> choices;
  std::vector<std::string> stock = options.stock;
  if (options.device.empty()) {
    choices = beside_fp16(options.packed.precisions({{8, 8}, {8, 4}, {4, 8}, {4, 4}}));
    if (stock.empty()) stock = {"f16/f16", "q8_0/q4_0", "q4_0/q4_0"};
  } else {
    if (!options.packed.precisions().empty()) {
      throw Error("--kvq: kvsplit runs on the CPU, leave it out with --device");
    }
    if (stock.empty()) stock = {"q8_0/q8_0", "q8_0/q4_0", "q4_0/q4_0"};
    stock.insert(stock.begin(), "f16/f16");
  }
  for (const std::string& types : stock) {
    if (types != "none") choices.push_back(host::parse_stock_cache(types));
  }
  return choices;
}

std::string heading(const host::Model& model, const measure::ComparisonCall& call,
                    const CompareOptions& options) {
  const auto file_name = [](const std::string& path) {
    return std::filesystem::path(path).filename().string();
  };
  return fmt::format("{} ({} tokens of context), {} of {} tokens of {}, {} threads\n\n",
                     file_name(model.file()), report::grouped(model.n_context()),
                     call.n_windows == 1 ? "a window" : fmt::format("{} windows", call.n_windows),
                     report::grouped(call.window), file_name(options.text_file()), call.n_threads);
}

std::string results(const std::vector<measure::CacheRecord>& records) {
  std::string text = report::table(records).text() + "\n";
  if (records[0].kv_context) {
    text += fmt::format("MiB: the cache of {} tokens, as allocated. ",
                        report::grouped(*records[0].kv_context));
  }
  text += fmt::format("Speed: with {} tokens in the cache.\n", report::grouped(*records[0].depth));
  const std::string legend = report::damage_legend(records);
  if (!legend.empty()) text += legend + "\n";
  const std::string advice = report::recommendation(records);
  if (!advice.empty()) text += "\n" + advice + "\n";
  return text;
}

int run(const CompareOptions& options) {
  const std::vector<host::CacheChoice> choices = caches(options);
  options.start();
  if (!options.rpc.empty()) host::add_rpc_servers(options.rpc);
  const std::string text = read_text(options.text_file());
  ProgressBar bar;
  const host::Model packed = load_model(options.model, "KVSPLIT", bar);
  const host::Model stock =
      load_model(options.model, options.device.empty() ? "CPU" : options.device, bar);
  const std::vector<host::Token> tokens = packed.tokenize(text);
  check_window(options.context, packed.n_context(), tokens.size(), options.text_file());

  measure::ComparisonCall call;
  call.packed = &packed;
  call.stock = &stock;
  call.caches = choices;
  call.tokens = tokens;
  call.window = options.context;
  call.n_windows = std::min(options.chunks, measure::windows_in(tokens.size(), options.context));
  call.size_context = packed.n_context();
  call.speed_rounds = options.repetitions;
  call.n_threads = options.threads;
  call.progress = [&](const std::string& what, double done) { bar.show(what, done); };
  bar.clear();
  const std::string above = heading(packed, call, options);
  fmt::print("{}", above);
  std::fflush(stdout);
  const auto records = measure::compare_caches(call);
  bar.clear();
  const std::string below = results(records);
  fmt::print("{}", below);
  if (!options.output.empty()) report::write(options.output, records, above + below);
  return 0;
}

}  // namespace

void add_compare(CLI::App& program, int& exit_code) {
  add_command(program, exit_code, "compare",
              "Show what packed caches are worth on a model: memory, speed, quality",
              "kvsplit compare -m model.gguf -f text.txt -c 2048 -o results.json",
              CompareOptions{});
}

}  // namespace kvsplit::cli
