#include "cli/options.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/error.h"
#include "cli/catalogue.h"
#include "cli/paths.h"
#include "host/backend.h"
#include "host/process.h"
#include "report/records.h"

namespace kvsplit::cli {
namespace {

namespace fs = std::filesystem;

std::optional<Precision> from_sides(const std::optional<int>& key,
                                    const std::optional<int>& value) {
  if (!key && !value) return std::nullopt;
  const Precision usual;
  return parse_precision(
      fmt::format("K{}V{}", key.value_or(usual.k_bits), value.value_or(usual.v_bits)));
}

void check_one_way(bool has_sides, bool has_both) {
  if (has_sides && has_both) {
    throw Error("--kvq says both widths already: leave out --kvq-key and --kvq-val, or --kvq");
  }
}

void add_side_options(CLI::App& app, std::optional<int>& key, std::optional<int>& value) {
  app.add_option("--kvq-key", key, "Bits of keys: 2, 3, 4, 5, 6, 8 or 16")->type_name("N");
  app.add_option("--kvq-val", value, "Bits of values: 2, 3, 4, 5, 6, 8 or 16")->type_name("N");
}

}  // namespace

std::optional<Precision> PrecisionOption::precision() const {
  check_one_way(key || value, !both.empty());
  return both.empty() ? from_sides(key, value) : parse_precision(both);
}

void add_precision_option(CLI::App& app, PrecisionOption& option) {
  app.add_option("--kvq", option.both, "Bits of the cache: K8V4, 8 (both sides) or FP16")
      ->type_name("PRECISION");
  add_side_options(app, option.key, option.value);
}

std::vector<Precision> PrecisionListOption::precisions() const {
  check_one_way(key || value, !list.empty());
  std::vector<Precision> precisions;
  for (const std::string& text : list) precisions.push_back(parse_precision(text));
  if (const auto sides = from_sides(key, value)) precisions.push_back(*sides);
  return precisions;
}

void add_precision_list_option(CLI::App& app, PrecisionListOption& option) {
  app.add_option("--kvq", option.list, "Caches to measure, for example K8V4,K4V4")
      ->delimiter(',')
      ->type_name("PRECISION,…");
  add_side_options(app, option.key, option.value);
}

void add_model_option(CLI::App& app, std::string& model) {
  app.add_option("-m,--model", model,
                 "Model: a GGUF file, or a name of kvsplit pull --list (default: the demo model)")
      ->type_name("FILE");
}

std::string model_file(const std::string& model) {
  const CatalogueModel* known = find_model(model.empty() ? demo_model().name : model);
  if (fs::exists(model) || known == nullptr) return model;
  const fs::path file = pulled_file(*known);
  if (!fs::exists(file)) {
    throw Error(fmt::format("{} is not here yet: kvsplit pull {}{}", known->name, known->name,
                            model.empty() ? ", or name a model with -m" : ""));
  }
  return file.string();
}

int MeasureOptions::n_threads() const { return threads > 0 ? threads : host::default_threads(); }

std::string TextOptions::text_file() const { return text.empty() ? sample_text().string() : text; }

void MeasureOptions::start() const {
  if (!output.empty()) {
    report::check_file_name(output);
    const fs::path folder = fs::path(output).parent_path();
    if (!folder.empty() && !fs::is_directory(folder)) {
      throw Error(fmt::format("-o {}: there is no folder {}", output, folder.string()));
    }
  }
  host::start(verbose);
}

void check_window(int context, int model_context, std::size_t text_tokens,
                  const std::string& text) {
  if (context > model_context) {
    throw Error(fmt::format("-c {}: the model was made for {} tokens", context, model_context));
  }
  if (text_tokens < static_cast<std::size_t>(context)) {
    throw Error(fmt::format("{}: {} tokens, a window has {}: take a longer text or a smaller -c",
                            text, text_tokens, context));
  }
}

void add_measure_options(CLI::App& app, MeasureOptions& options) {
  add_model_option(app, options.model);
  app.add_option("-t,--threads", options.threads, "Threads (default: one per core)")
      ->check(CLI::Range(1, 512))
      ->type_name("N");
  app.add_option("-o,--output", options.output,
                 "Also write the results, to a .json, .csv or .md file")
      ->type_name("FILE");
  app.add_flag("-v,--verbose", options.verbose, "Show llama.cpp's own log");
}

void add_text_options(CLI::App& app, TextOptions& options) {
  add_measure_options(app, options);
  app.add_option("-f,--file", options.text, "Text to measure on (default: one that comes along)")
      ->type_name("FILE");
}

void add_repetitions_option(CLI::App& app, int& repetitions, const std::string& help) {
  app.add_option("-r,--repetitions", repetitions, help)
      ->check(CLI::Range(1, 1000))
      ->capture_default_str()
      ->type_name("N");
}

}  // namespace kvsplit::cli
