#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "base/error.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "cli/progress_bar.h"
#include "measure/comparison.h"
#include "measure/quality.h"
#include "report/numbers.h"
#include "report/records.h"
#include "report/verdict.h"

namespace kvsplit::cli {
namespace {

struct PerplexityOptions : TextOptions {
  PrecisionListOption caches;
};

void add_options(CLI::App& app, PerplexityOptions& options) {
  add_text_options(app, options);
  add_precision_list_option(app, options.caches);
  app.add_option("-c,--ctx-size", options.context,
                 "Tokens of a window, whose second half is scored; 0 = 128, 512, 2048, 4096, 8192")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str()
      ->type_name("N");
  app.add_option("--chunks", options.chunks, "Windows at most (default: all that the text has)")
      ->check(CLI::Range(1, 1 << 20))
      ->type_name("N");
}

/// FP16 first: everything is compared with it.
std::vector<host::CacheChoice> caches(const PerplexityOptions& options) {
  std::vector<Precision> precisions = options.caches.precisions();
  if (precisions.empty()) precisions = {Precision{}};
  const Precision fp16 = parse_precision("FP16");
  precisions.erase(std::remove(precisions.begin(), precisions.end(), fp16), precisions.end());
  precisions.insert(precisions.begin(), fp16);
  std::vector<host::CacheChoice> choices;
  std::transform(precisions.begin(), precisions.end(), std::back_inserter(choices),
                 host::kvsplit_cache);
  return choices;
}

std::vector<int> windows(const PerplexityOptions& options, int n_context, std::size_t n_tokens) {
  if (options.context > 0) {
    check_window(options.context, n_context, n_tokens, options.text_file());
    return {options.context};
  }
  std::vector<int> sweep = {128, 512, 2048, 4096, 8192};
  std::erase_if(sweep, [&](int window) {
    return window > n_context || measure::windows_in(n_tokens, window) == 0;
  });
  if (sweep.empty()) check_window(128, n_context, n_tokens, options.text_file());
  return sweep;
}

int run(const PerplexityOptions& options) {
  const std::vector<host::CacheChoice> choices = caches(options);
  options.start();
  const std::string measured_on = read_text(options.text_file());
  ProgressBar bar;
  const host::Model model(model_file(options.model), "KVSPLIT",
                          [&](double done) { bar.show("loading", done); });
  const std::vector<host::Token> tokens = model.tokenize(measured_on);

  std::vector<measure::CacheRecord> records;
  for (const int window : windows(options, model.n_context(), tokens.size())) {
    measure::ComparisonCall call;
    call.packed = &model;
    call.caches = choices;
    call.tokens = tokens;
    call.window = window;
    call.n_windows = measure::windows_in(tokens.size(), window);
    if (options.chunks > 0) call.n_windows = std::min(options.chunks, call.n_windows);
    call.n_threads = options.n_threads();
    call.progress = [&](const std::string&, double done) {
      bar.show(fmt::format("window {}", report::grouped(window)), done);
    };
    const auto of_window = measure::compare_caches(call);
    records.insert(records.end(), of_window.begin(), of_window.end());
  }
  bar.clear();
  std::string text = report::table(records).text();
  const std::string legend = report::damage_legend(records);
  if (!legend.empty()) text += "\n" + legend + "\n";
  fmt::print("{}", text);
  if (!options.output.empty()) report::write(options.output, records, text);
  return 0;
}

}  // namespace

void add_perplexity(CLI::App& program, int& exit_code) {
  add_command(program, exit_code, "perplexity", "Measure what caches do to a model's predictions",
              "kvsplit perplexity -m model.gguf -f text.txt -c 2048 --chunks 4 --kvq K8V4,K4V4",
              PerplexityOptions{});
}

}  // namespace kvsplit::cli
