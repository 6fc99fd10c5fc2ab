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
  std::vector<std::string> usual = {"K8V8", "K8V4", "K4V8", "K4V4", "K4V2"};
  if (!host::find_plan(model_file(options.model)).empty()) usual.emplace_back("K4V4:plan=auto");
  const std::vector<std::string> stock = {"f16/f16", "q8_0/q8_0", "q8_0/q4_0", "q4_0/q4_0"};
  return beside(host::kvsplit_cache({16, 16}), options.packed.caches(usual),
                stock_caches(options.stock.value_or(stock)));
}

std::vector<int> lengths(const SuiteOptions& options, const host::Model& model,
                         std::size_t n_tokens) {
  std::vector<int> lengths = options.lengths;
  if (lengths.empty()) lengths = {128, 512, 2048, 4096, 8192};
  if (options.is_long) lengths.push_back(32768);
  const auto longest = std::min(n_tokens, static_cast<std::size_t>(model.n_context()));
  if (options.lengths.empty()) {
    std::erase_if(lengths, [&](int length) { return length > static_cast<int>(longest); });
  }
  std::ranges::sort(lengths);
  if (lengths.empty() || lengths.back() > static_cast<int>(longest)) {
    throw Error(
        fmt::format("--suite: {} has {} tokens and the model is made for {}: take shorter "
                    "lengths or a longer text",
                    options.text, n_tokens, model.n_context()));
  }
  return lengths;
}

/// The caches at one length, one after the other.
class Row {
 public:
  Row(const SuiteOptions& options, measure::ComparisonCall call, int length)
      : call_(std::move(call)) {
    call_.window = call_.size_context = length;
    const auto windows = static_cast<int>(call_.tokens.size()) / length;
    call_.n_windows = std::min({options.chunks, windows, std::max(1, 2 * scored_tokens / length)});
  }

  /// What is known of a cell before it is measured.
  measure::CacheRecord begin(const host::CacheChoice& cache) {
    pair_ = beside(host::kvsplit_cache({16, 16}), {cache});
    call_.caches = pair_;
    measure::CacheRecord record = measure::make_records(call_).back();
    record.context = call_.window;
    return record;
  }

  measure::CacheRecord measure() {
    measure::CacheRecord record = measure::compare_caches(call_).back();
    record.peak_rss_bytes = measure::peak_rss_alone(
        call_, pair_.back(), call_.tokens.first(static_cast<std::size_t>(call_.window)));
    return record;
  }

 private:
  measure::ComparisonCall call_;
  Caches pair_;  ///< the baseline, and the cache if that is another
};

std::string line(const measure::CacheRecord& record) {
  return fmt::format("{:16} {:>7}: {}, prompt {:.0f} and decode {:.1f} tokens/s, KL {}\n",
                     record.cache, report::grouped(*record.context),
                     report::bytes(static_cast<double>(*record.kv_bytes)), record.prompt->median,
                     record.decode->median, report::significant(*record.kl_mean));
}

void measure_cells(const SuiteOptions& options, measure::ComparisonCall call,
                   const std::vector<int>& lengths, const Caches& choices, ProgressBar& bar,
                   report::ResultFile& results) {
  double all = 0, done = 0;
  for (const int length : lengths) all += length;
  call.progress = [&](const std::string& /*what*/, double part) {
    bar.show("suite", std::min(1.0, (done + part / 2) / all));
  };
  for (const int length : lengths) {
    Row row(options, call, length);
    for (const host::CacheChoice& cache : choices) {
      if (!results.has(row.begin(cache))) {
        const measure::CacheRecord record = row.measure();
        results.add(record);
        bar.clear();
        std::cout << line(record) << std::flush;
      }
      done += static_cast<double>(length) / choices.size();
    }
  }
}

}  // namespace

int run_suite(const SuiteOptions& options, int speed_rounds) {
  const std::string file = options.output.empty() ? "kvsplit-suite.json" : options.output;
  if (!file.ends_with(".json")) throw Error("-o " + file + ": --suite goes on from a .json file");
  const Caches choices = caches(options);
  options.start();
  report::ResultFile results(file);
  const std::string text = read_text(options.text);
  ProgressBar bar;
  const host::Model packed = options.load("KVSPLIT", bar);
  std::optional<host::Model> stock;
  if (!choices.back().is_packed) stock = options.load("CPU", bar);
  const std::vector<host::Token> tokens = packed.tokenize(text);
  measure::ComparisonCall call;
  call.packed = &packed;
  call.stock = stock ? &*stock : nullptr;
  call.tokens = tokens;
  call.n_threads = options.threads;
  call.speed_rounds = speed_rounds;
  measure_cells(options, call, lengths(options, packed, tokens.size()), choices, bar, results);
  bar.clear();
  const std::string table = fs::path(file).replace_extension(".csv");
  results.write_csv(table);
  fmt::print("{} and {} have all cells.\n", file, table);
  return 0;
}

}  // namespace kvsplit::cli
