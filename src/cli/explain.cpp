#include "tune/explain.h"

#include <fmt/format.h>

#include "base/error.h"
#include "cli/command.h"
#include "cli/options.h"
#include "report/explanation.h"

namespace kvsplit::cli {
namespace {

struct ExplainOptions : TextOptions {
  ExplainOptions() { context = 1024, chunks = 1; }
  int bits = 4;
  std::vector<int> layers;
};

void add_options(CLI::App& app, ExplainOptions& options) {
  add_text_options(app, options);
  without_precisions(app);
  add_count(app, "-c,--ctx-size", options.context, 64, 1 << 16,
            "Tokens of the window, whose second half is looked at");
  add_value(app, "--bits", options.bits, "N", "Bits of one side: 2, 3, 4, 5, 6 or 8");
  add_value(app, "--layers", options.layers, "N", "Layers to look into, as 0,5,29 (default: all)")
      ->delimiter(',');
}

/// As measure::Explanation has them. Rows are exact besides only where both sides are packed.
Caches caches_with(int bits) {
  if (bits == 16) throw Error("--bits 16: those of the cache that others are compared with");
  Caches caches{host::kvsplit_cache({16, 16})};
  for (const char* const name : {"K{}V16:rotate=0", "K16V{}:rotate=0", "K{}V16", "K16V{}",
                                 "K{}V8:window=0", "K8V{}:window=0", "K{}V8", "K8V{}"}) {
    caches.push_back(host::kvsplit_cache(parse_precision(fmt::format(fmt::runtime(name), bits))));
  }
  return caches;
}

int run(const ExplainOptions& options) {
  const Caches caches = caches_with(options.bits);
  LoadedText loaded(options);
  const measure::ComparisonCall call = comparison(options, caches, loaded);
  const measure::Explanation found{options.bits, tune::explain(call, options.bits, options.layers),
                                   measure::compare_caches(call)};
  loaded.bar.clear();
  const std::string shown = report::text(found);
  fmt::print("{}", shown);
  if (options.output.empty()) return 0;
  report::write(options.output, report::json(found), report::csv(found), shown);
  return 0;
}

}  // namespace

void add_explain(CLI::App& program, int& exit_code) {
  add_command<ExplainOptions>(program, exit_code, "explain",
                              "Show why a model's keys and values need the bits that they do",
                              "kvsplit explain -m model.gguf -f text.txt --bits 4 --layers 0,5,29");
}

}  // namespace kvsplit::cli
