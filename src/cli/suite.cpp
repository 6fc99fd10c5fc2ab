#include "cli/suite.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "base/error.h"
#include "report/result_file.h"

namespace kvsplit::cli {
namespace {

namespace fs = std::filesystem;

constexpr int scored_tokens = 1024;  // at least, if the text has them; from windows' second halves

Caches caches(const SuiteOptions& options) {
  const std::vector<std::string> stock = {"f16/f16", "q8_0/q8_0", "q8_0/q4_0", "q4_0/q4_0"};
  return beside(host::kvsplit_cache({16, 16}),
                options.caches_and_plan({"K8V8", "K8V4", "K4V8", "K4V4", "K4V2"}),
                stock_caches(options.stock.value_or(stock)));
}

std::vector<int> lengths(const SuiteOptions& options, const host::Model& model,
                         std::size_t n_tokens) {
  const auto longest = std::min(n_tokens, static_cast<std::size_t>(model.n_context()));
  const auto is_too_long = [&](int length) { return length > static_cast<int>(longest); };
  std::vector<int> lengths = options.lengths;
  if (lengths.empty()) {
    lengths = {128, 512, 2048, 4096, 8192};
    std::erase_if(lengths, is_too_long);
  }
  if (options.is_long) lengths.push_back(32768);
  std::ranges::sort(lengths);
  if (lengths.empty() || is_too_long(lengths.back())) {
    throw Error(
        fmt::format("--suite: {} has {} tokens and the model is made for {}: take shorter "
                    "lengths or a longer text",
                    options.text, n_tokens, model.n_context()));
  }
  return lengths;
}

measure::CacheRecord measure_cell(const measure::ComparisonCall& call) {
  measure::CacheRecord record = measure::compare_caches(call).back();
  record.peak_rss_bytes = measure::peak_rss_alone(
      call, call.caches.back(), call.tokens.first(static_cast<std::size_t>(call.window)));
  return record;
}

std::string line(const measure::CacheRecord& record) {
  return fmt::format("{:16} {:>7}: {}, prompt {:.0f} and decode {:.1f} tokens/s, KL {}\n",
                     record.cache, report::grouped(*record.context),
                     report::bytes(static_cast<double>(*record.kv_bytes)), record.prompt->median,
                     record.decode->median, report::significant(*record.kl_mean));
}

void measure_cells(const SuiteOptions& options, measure::ComparisonCall call,
                   const std::vector<int>& lengths, const Caches& choices, ProgressBar& bar,
                   report::ResultFile& results) {
  double all = 0, done = 0, cell = 0;  // tokens, of all caches
  for (const int length : lengths) all += length * std::size(choices);
  call.progress = [&](const std::string& /*what*/, double part) {
    bar.show("suite", (done + part * cell) / all);
  };
  for (const int length : lengths) {
    cell = length;
    call.window = call.size_context = length;
    const auto windows = static_cast<int>(call.tokens.size()) / length;
    call.n_windows = std::min({options.chunks, windows, std::max(1, 2 * scored_tokens / length)});
    for (const host::CacheChoice& cache : choices) {
      const Caches pair = beside(host::kvsplit_cache({16, 16}), {cache});
      call.caches = pair;
      measure::CacheRecord record = measure::make_records(call).back();
      record.context = length;
      if (!results.has(record)) {
        record = measure_cell(call);
        results.add(record);
        bar.clear();
        std::cout << line(record) << std::flush;
      }
      done += cell;
    }
  }
}

}  // namespace

int run_suite(const SuiteOptions& options, int speed_rounds) {
  const std::string file = options.output.empty() ? "kvsplit-suite.json" : options.output;
  if (!file.ends_with(".json")) throw Error("-o " + file + ": --suite goes on from a .json file");
  const Caches choices = caches(options);
  report::ResultFile results(file);
  LoadedText loaded(options);
  std::optional<host::Model> stock;
  if (!choices.back().is_packed) stock = options.load("CPU", loaded.bar);
  measure::ComparisonCall call;
  call.packed = &loaded.model;
  call.stock = stock ? &*stock : nullptr;
  call.tokens = loaded.tokens;
  call.n_threads = options.threads;
  call.speed_rounds = speed_rounds;
  measure_cells(options, call, lengths(options, loaded.model, loaded.tokens.size()), choices,
                loaded.bar, results);
  loaded.bar.clear();
  const std::string table = fs::path(file).replace_extension(".csv");
  results.write_csv(table);
  fmt::print("{} and {} have all cells.\n", file, table);
  return 0;
}

}  // namespace kvsplit::cli
