#include "cli/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "base/error.h"
#include "cli/catalogue.h"
#include "cli/paths.h"
#include "host/backend.h"
#include "report/records.h"

namespace kvsplit::cli {
namespace {

namespace fs = std::filesystem;

void add_side_options(CLI::App& app, PrecisionOptions& options) {
  app.add_option("--kvq-key", options.key, "Bits of keys: 2, 3, 4, 5, 6, 8 or 16")->type_name("N");
  app.add_option("--kvq-val", options.value, "Bits of values: 2, 3, 4, 5, 6, 8 or 16")
      ->type_name("N");
}

}  // namespace

std::vector<Precision> PrecisionOptions::precisions(const std::vector<Precision>& usual) const {
  const bool has_sides = key || value;
  if (has_sides && !both.empty()) {
    throw Error("--kvq says both widths already: leave out --kvq-key and --kvq-val, or --kvq");
  }
  if (has_sides) {
    const Precision rest;
    return {parse_precision(
        fmt::format("K{}V{}", key.value_or(rest.k_bits), value.value_or(rest.v_bits)))};
  }
  std::vector<Precision> precisions;
  for (const std::string& text : both) precisions.push_back(parse_precision(text));
  return precisions.empty() ? usual : precisions;
}

void add_precision_option(CLI::App& app, PrecisionOptions& options) {
  const auto take = [&](const std::string& text) {
    if (!text.empty()) options.both = {text};
  };
  app.add_option_function<std::string>("--kvq", take,
                                       "Bits of the cache: K8V4, 8 (both sides) or FP16")
      ->type_name("PRECISION");
  add_side_options(app, options);
}

void add_precision_list_option(CLI::App& app, PrecisionOptions& options) {
  app.add_option("--kvq", options.both, "Caches to measure, for example K8V4,K4V4")
      ->delimiter(',')
      ->type_name("PRECISION,…");
  add_side_options(app, options);
}

std::vector<host::CacheChoice> beside_fp16(std::vector<Precision> precisions) {
  const Precision fp16 = parse_precision("FP16");
  std::erase(precisions, fp16);
  precisions.insert(precisions.begin(), fp16);
  std::vector<host::CacheChoice> choices;
  std::transform(precisions.begin(), precisions.end(), std::back_inserter(choices),
                 host::kvsplit_cache);
  return choices;
}

CLI::Option* add_count(CLI::App& app, const std::string& name, int& count, int least, int most,
                       const std::string& help) {
  return app.add_option(name, count, help)->check(CLI::Range(least, most))->type_name("N");
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

host::Model load_model(const std::string& model, const std::string& device, ProgressBar& bar) {
  return {model_file(model), device, [&](double done) { bar.show("loading", done); }};
}

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
  add_count(app, "-t,--threads", options.threads, 1, 512, "Threads (default: one per core)");
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

}  // namespace kvsplit::cli
