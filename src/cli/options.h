#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cache/precision.h"

namespace kvsplit::cli {

/// --kvq, --kvq-key, --kvq-val: one precision.
struct PrecisionOption {
  std::string both;
  std::optional<int> key, value;

  /// Empty where none of the options was given. Error: an impossible width, or both ways at once.
  std::optional<Precision> precision() const;
};
void add_precision_option(CLI::App& app, PrecisionOption& option);

/// The same where a list makes sense: --kvq K8V4,K4V4.
struct PrecisionListOption {
  std::vector<std::string> list;
  std::optional<int> key, value;

  std::vector<Precision> precisions() const;  ///< empty where none was given
};
void add_precision_list_option(CLI::App& app, PrecisionListOption& option);

/// -m: a file, or the name of a model that `kvsplit pull` gets.
void add_model_option(CLI::App& app, std::string& model);

/// The file of `model`, by default the demo model's. Error: it has not been pulled yet.
std::string model_file(const std::string& model);

/// -m, -t, -o, --verbose as llama.cpp has them, for commands that measure.
struct MeasureOptions {
  std::string model, output;
  int threads = 0;  ///< 0 = one per core
  bool verbose = false;

  int n_threads() const;
  /// Starts llama.cpp. Error: -o is no file that can be written.
  void start() const;
};
void add_measure_options(CLI::App& app, MeasureOptions& options);

/// -r: how often speed is measured.
void add_repetitions_option(CLI::App& app, int& repetitions, const std::string& help);

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
