#include "cli/command.h"
#include "cli/options.h"

namespace kvsplit::cli {
namespace {

struct PerplexityOptions : TextOptions {};

void add_options(CLI::App& app, PerplexityOptions& options) {
  add_text_options(app, options);
  add_window_options(app, options);
}

int run(const PerplexityOptions& options) {
  const Caches caches = beside(host::kvsplit_cache({16, 16}), options.packed.caches({"K8V4"}));
  LoadedText loaded(options);
  const auto records = measure::compare_caches(comparison(options, caches, loaded));
  loaded.bar.clear();
  const std::string legend = report::damage_legend(records);
  options.show(records, "", report::table(records).text() + (legend.empty() ? "" : "\n" + legend));
  return 0;
}

}  // namespace

void add_perplexity(CLI::App& program, int& exit_code) {
  add_command<PerplexityOptions>(
      program, exit_code, "perplexity", "Measure what caches do to a model's predictions",
      "kvsplit perplexity -m model.gguf -f text.txt -c 2048 --chunks 4 --kvq K8V4,K4V4");
}

}  // namespace kvsplit::cli
