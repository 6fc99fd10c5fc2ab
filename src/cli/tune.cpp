#include "tune/tune.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <utility>

#include "base/error.h"
#include "cli/command.h"
#include "cli/options.h"
#include "kvsplit_build_config.h"

namespace kvsplit::cli {
namespace {

struct TuneOptions : TextOptions {
  TuneOptions() {
    context = 1024;
    chunks = 1;
    text = shipped("examples/texts/calibration.txt");
  }
  std::string check = shipped("examples/texts/lighthouse.txt"), plan;
  std::optional<std::uint64_t> memory;
  std::optional<double> bits, max_kl;
  std::optional<int> memory_context;
  bool as_it_is = false;
};

void add_options(CLI::App& app, TuneOptions& options) {
  add_measure_options(app, options);
  without_precisions(app);
  add_value(app, "-f,--file", options.text, "FILE",
            "Text to tune on (default: one that comes along)")
      ->check(CLI::ExistingFile);
  add_value(app, "--check", options.check, "FILE",
            "Another text to check on (default: one that comes along)")
      ->check(CLI::ExistingFile);
  add_count(app, "--window", options.context, 32, 1 << 20,
            "Tokens of a window, whose second half is scored");
  add_count(app, "--chunks", options.chunks, 1, 1 << 20, "Windows at most of each text");
  app.add_flag("--file-weights", options.as_it_is,
               "Measure on the file as it is, not on a temporary copy with weights in 32 bits");
  add_value(app, "--plan", options.plan, "FILE", "Plan to tune (default: the model's)");
  CLI::Option* const memory = add_value(app, "--kv-memory", options.memory, "SIZE",
                                        "Recommend what fits into so much memory, for example 64M");
  memory->transform(CLI::AsSizeValue(false).description(""));
  add_value(app, "-c,--ctx-size", options.memory_context, "N",
            "Tokens that memory is for (default: the model's context)");
  CLI::Option* const bits = add_value(app, "--bits", options.bits, "B",
                                      "Recommend so many bits a number, for example 3.5")
                                ->excludes(memory);
  add_value(app, "--max-kl", options.max_kl, "NATS",
            "Recommend the smallest cache with so little loss (default: 0.003)")
      ->excludes(memory)
      ->excludes(bits);
}

// Every half bit that there are codecs for; with a tuned plan only the sum counts.
constexpr std::array<std::array<int, 2>, 9> pairs{
    {{2, 2}, {3, 2}, {3, 3}, {4, 3}, {4, 4}, {5, 4}, {5, 5}, {6, 5}, {6, 6}}};

Caches pairs_with(const std::string& plan) {
  Caches caches;
  for (const auto& [k, v] : pairs) {
    caches.push_back(host::kvsplit_cache({.k_bits = k, .v_bits = v, .plan = plan}));
  }
  return caches;
}

/// Which of the pairs is asked for, by what each took and lost with the tuned plan: the largest
/// that fits, or the smallest that is good enough.
std::optional<std::size_t> choose(const TuneOptions& options, report::Records tuned) {
  const auto suits = [&](const measure::CacheRecord& record) {
    if (options.memory) return *record.kv_bytes <= *options.memory;
    if (options.bits) return record.k_bits + record.v_bits <= 2 * *options.bits;
    return *record.kl_mean <= options.max_kl.value_or(report::unnoticed_kl);
  };
  const bool fits = options.memory || options.bits;
  std::optional<std::size_t> chosen;
  for (std::size_t i = 0; i < tuned.size(); ++i) {
    if (suits(tuned[i]) && (fits || !chosen)) chosen = i;
  }
  return chosen;
}

tune::TuneCall tune_call(const TuneOptions& options, LoadedText& loaded) {
  tune::TuneCall call;
  call.measured = comparison(options, {}, loaded);
  Precision precision;
  precision.plan = options.plan.empty() ? "auto" : options.plan;
  call.plan = host::with_plan(precision, loaded.model.file()).plan;
  call.losses = call.plan + ".losses";
  call.search = fmt::format("kvsplit {}: {:016x}, {} windows of {}, {}", build_config::version,
                            fnv1a(loaded.text), call.measured.n_windows, options.context,
                            open_plan(call.plan)->origin().made);
  call.share = tune::share_of_environment();
  return call;
}

/// Pairs with the plan as it was, then with the tuned one, on the text to check on.
std::vector<measure::CacheRecord> check(TuneOptions options, LoadedText& loaded,
                                        const std::string& plan, const std::string& tuned) {
  options.text = options.check;
  const std::vector<host::Token> tokens = loaded.model.tokenize(read_text(options.check));
  const Caches caches = beside(host::kvsplit_cache({16, 16}), pairs_with(plan), pairs_with(tuned));
  measure::ComparisonCall call = comparison(options, loaded.model, caches, tokens, loaded.bar);
  call.size_context = options.memory_context.value_or(loaded.model.n_context());
  auto records = measure::compare_caches(call);
  loaded.bar.clear();
  return records;
}

/// Says what tuning gained for the pair that is asked for: whether it did, and the pair's name.
std::pair<bool, std::string> verdict(const TuneOptions& options, report::Records records) {
  const auto chosen = choose(options, records.last(pairs.size()));
  if (!chosen)
    throw Error("none of the caches above is what was asked for, the plan stays as it was");
  const measure::CacheRecord& before = records[1 + *chosen];
  const measure::CacheRecord& after = records[1 + pairs.size() + *chosen];
  const std::string name = fmt::format("K{}V{}", after.k_bits, after.v_bits);
  fmt::print("\n{}: KL {} tuned, {} before, on a text that neither has seen.\n", name,
             report::significant(*after.kl_mean), report::significant(*before.kl_mean));
  return {*after.kl_mean < *before.kl_mean, name};
}

int run(TuneOptions options) {
  options.as_f32 = !options.as_it_is;
  LoadedText loaded(options);
  const tune::TuneCall call = tune_call(options, loaded);
  const std::vector<PlannedLayer> layers = tune::tune(call);
  if (call.share.process > 0) return 0;

  PlanOrigin origin = open_plan(call.plan)->origin();
  origin.tuned = true;
  origin.made += fmt::format("; tuned on {} ({:016x})", options.text, fnv1a(loaded.text));
  const TemporaryFolder folder;
  write_plan(folder / "tuned", origin, layers);
  const auto records = check(options, loaded, call.plan, folder / "tuned");
  options.show(records, "", report::table(records).text());
  const auto [is_better, name] = verdict(options, records);
  if (is_better) {
    write_plan(call.plan, origin, layers);
    fmt::print("{} is tuned now: --kvq {}:plan={}\n", call.plan, name,
               options.plan.empty() ? "auto" : options.plan);
  } else {
    fmt::print("{} stays as it was.\n", call.plan);
  }
  std::remove(call.losses.c_str());
  return 0;
}

}  // namespace

void add_tune(CLI::App& program, int& exit_code) {
  add_command<TuneOptions>(program, exit_code, "tune",
                           "Give a plan's bits to the layers and sides where they count most",
                           "kvsplit tune -m model.gguf --kv-memory 64M -c 8192");
}

}  // namespace kvsplit::cli
