#include <fmt/format.h>

#include <algorithm>

#include "cli/command.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "measure/comparison.h"
#include "report/numbers.h"
#include "report/records.h"
#include "report/verdict.h"

namespace kvsplit::cli {
namespace {

struct PerplexityOptions : TextOptions {
  PrecisionOptions caches;
};

void add_options(CLI::App& app, PerplexityOptions& options) {
  add_text_options(app, options);
  add_precision_list_option(app, options.caches);
  add_count(app, "-c,--ctx-size", options.context, 0, 1 << 20,
            "Tokens of a window, whose second half is scored; 0 = 128, 512, 2048, 4096, 8192")
      ->capture_default_str();
  add_count(app, "--chunks", options.chunks, 1, 1 << 20,
            "Windows at most (default: all that the text has)");
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
  const auto choices = beside_fp16(options.caches.precisions({Precision{}}));
  options.start();
  const std::string measured_on = read_text(options.text_file());
  ProgressBar bar;
  const host::Model model = load_model(options.model, "KVSPLIT", bar);
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
    call.n_threads = options.threads;
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
