#include "cli/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/system.h"
#include "host/backend.h"

namespace kvsplit::cli {

namespace fs = std::filesystem;

Caches PrecisionOptions::caches(const std::vector<std::string>& usual) const {
  std::vector<std::string> names = both.empty() ? usual : both;
  if (key || value) {
    if (!both.empty()) {
      throw Error("--kvq says both widths already: leave out --kvq-key and --kvq-val, or --kvq");
    }
    const Precision rest;
    names = {fmt::format("K{}V{}", key.value_or(rest.k_bits), value.value_or(rest.v_bits))};
  }
  Caches caches;
  for (const auto& name : names) caches.push_back(host::kvsplit_cache(parse_precision(name)));
  return caches;
}

CLI::Option* add_precision_options(CLI::App& app, PrecisionOptions& options,
                                   const std::string& help) {
  add_value(app, "--kvq-key", options.key, "N", "Bits of keys: 2, 3, 4, 5, 6, 8 or 16");
  add_value(app, "--kvq-val", options.value, "N", "Bits of values: 2, 3, 4, 5, 6, 8 or 16");
  return add_value(app, "--kvq", options.both, "PRECISION", help);
}

Caches stock_caches(const std::vector<std::string>& types) {
  Caches caches;
  for (const std::string& type : types) {
    if (type != "none") caches.push_back(host::parse_stock_cache(type));
  }
  return caches;
}

Caches beside(const host::CacheChoice& baseline, Caches others, const Caches& more) {
  std::erase_if(others, [&](const auto& cache) { return cache.name() == baseline.name(); });
  others.insert(others.begin(), baseline);
  others.insert(others.end(), more.begin(), more.end());
  return others;
}

CLI::Option* add_count(CLI::App& app, const std::string& name, int& count, int least, int most,
                       const std::string& help) {
  CLI::Option* option = add_value(app, name, count, "N", help)->capture_default_str();
  return option->check(CLI::Range(least, most));
}

Caches ModelOptions::caches_and_plan(std::vector<std::string> usual) const {
  if (!host::find_plan(model_file(model)).empty()) usual.emplace_back("K4V4:plan=auto");
  return packed.caches(usual);
}

host::Model ModelOptions::load(const std::string& device, ProgressBar& bar) const {
  return {model_file(model), device, [&](double done) { bar.show("loading", done); },
          as_f32 ? host::ModelForm::as_f32 : host::ModelForm::as_it_is};
}

void MeasureOptions::start() const {
  if (!output.empty()) {
    report::check_file_name(output);
    check_folder("-o", output);
  }
  host::start(verbose);
}

void check_folder(const std::string& option, const std::string& file) {
  const fs::path folder = fs::path(file).parent_path();
  if (folder.empty() || fs::is_directory(folder)) return;
  throw Error(fmt::format("{} {}: there is no folder {}", option, file, folder.string()));
}

void MeasureOptions::show(report::Records records, const std::string& above,
                          const std::string& text) const {
  fmt::print("{}", text);
  if (output.empty()) return;
  report::write(output, report::json(records), report::csv(records), above + text);
}

void add_model_options(CLI::App& app, ModelOptions& options) {
  add_value(app, "model,-m,--model", options.model, "FILE",
            "Model: a GGUF file, or a name of kvsplit pull --list (default: the demo model)");
  add_precision_options(app, options.packed, "Caches to measure, for example K8V4,K4V4")
      ->delimiter(',');
  app.add_flag("-v,--verbose", options.verbose, "Show llama.cpp's own log");
}

void without_precisions(CLI::App& app) {
  for (const char* const name : {"--kvq", "--kvq-key", "--kvq-val"}) {
    app.remove_option(app.get_option(name));
  }
}

void add_measure_options(CLI::App& app, MeasureOptions& options) {
  add_model_options(app, options);
  add_count(app, "-t,--threads", options.threads, 1, 512, "Threads (default: one per core)")
      ->default_str("");
  add_value(app, "-o,--output", options.output, "FILE",
            "Also write the results, to a .json, .csv or .md file");
}

void add_text_options(CLI::App& app, TextOptions& options) {
  add_measure_options(app, options);
  add_value(app, "-f,--file", options.text, "FILE",
            "Text to measure on (default: one that comes along)")
      ->check(CLI::ExistingFile);
  app.add_flag("--f32-weights", options.as_f32,
               "Measure on a temporary copy with weights in 32 bits, free of the file's own noise");
}

void add_window_options(CLI::App& app, TextOptions& options) {
  add_count(app, "-c,--ctx-size", options.context, 32, 1 << 20,
            "Tokens of a window, whose second half is scored");
  add_count(app, "--chunks", options.chunks, 1, 1 << 20,
            "Windows at most, from the start of the text");
}

int n_windows(const TextOptions& options, const host::Model& model, std::size_t n_tokens) {
  if (options.context > model.n_context()) {
    throw Error(
        fmt::format("-c {}: the model was made for {} tokens", options.context, model.n_context()));
  }
  const int n = static_cast<int>(n_tokens / options.context);
  if (n == 0) {
    throw Error(fmt::format("{}: {} tokens, a window has {}: take a longer text or a smaller -c",
                            options.text, n_tokens, options.context));
  }
  return std::min(options.chunks, n);
}

measure::ComparisonCall comparison(const TextOptions& options, const host::Model& model,
                                   const Caches& caches, std::span<const host::Token> tokens,
                                   ProgressBar& bar) {
  measure::ComparisonCall call;
  call.packed = &model;
  call.caches = caches;
  call.tokens = tokens;
  call.window = options.context;
  call.n_windows = n_windows(options, model, tokens.size());
  call.n_threads = options.threads;
  call.progress = [&](const std::string& what, double done) { bar.show(what, done); };
  return call;
}

measure::ComparisonCall comparison(const TextOptions& options, const Caches& caches,
                                   LoadedText& loaded) {
  return comparison(options, loaded.model, caches, loaded.tokens, loaded.bar);
}

LoadedText::LoadedText(const TextOptions& options)
    : text((options.start(), read_text(options.text))),
      model(options.load("KVSPLIT", bar)),
      tokens(model.tokenize(text)) {}

std::string read_text(const std::string& file) {
  std::string text = file_content(file).value_or("");
  if (text.empty()) throw Error(fmt::format("{}: empty or not readable, expected a text", file));
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace kvsplit::cli
