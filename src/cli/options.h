#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cache/precision.h"
#include "cli/progress_bar.h"
#include "host/cache_choice.h"
#include "host/model.h"
#include "host/process.h"

namespace kvsplit::cli {

/// --kvq, --kvq-key, --kvq-val: the precision of a cache, or of several.
struct PrecisionOptions {
  std::vector<std::string> both;  ///< sides at once, as in K8V4
  std::optional<int> key, value;

  /// `usual` where none of the options was given. Error: an impossible width, or both ways at once.
  std::vector<Precision> precisions(const std::vector<Precision>& usual = {}) const;
};
void add_precision_option(CLI::App& app, PrecisionOptions& options);

/// The same where a list makes sense: --kvq K8V4,K4V4.
void add_precision_list_option(CLI::App& app, PrecisionOptions& options);

/// The caches of these precisions, FP16 first: everything is compared with it.
std::vector<host::CacheChoice> beside_fp16(std::vector<Precision> precisions);

/// An option for a number of something, `least` … `most`.
CLI::Option* add_count(CLI::App& app, const std::string& name, int& count, int least, int most,
                       const std::string& help);

/// -m: a file, or the name of a model that `kvsplit pull` gets.
void add_model_option(CLI::App& app, std::string& model);

/// The file of `model`, by default the demo model's. Error: it has not been pulled yet.
std::string model_file(const std::string& model);

/// Loads it onto a device, with the bar on screen until the caller clears it.
host::Model load_model(const std::string& model, const std::string& device, ProgressBar& bar);

/// -m, -t, -o, --verbose as llama.cpp has them, for commands that measure.
struct MeasureOptions {
  std::string model, output;
  int threads = host::default_threads();
  bool verbose = false;

  /// Starts llama.cpp. Error: -o is no file that can be written.
  void start() const;
};
void add_measure_options(CLI::App& app, MeasureOptions& options);

/// The same with -f, -c and --chunks, for those that measure on a text.
struct TextOptions : MeasureOptions {
  std::string text;
  int context = 2048;
  int chunks = 0;  ///< 0 = all

  std::string text_file() const;
};
void add_text_options(CLI::App& app, TextOptions& options);

/// Error: a window of `context` tokens is longer than the model's context or than the text.
void check_window(int context, int model_context, std::size_t text_tokens, const std::string& text);

}  // namespace kvsplit::cli
