#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/paths.h"
#include "cli/progress_bar.h"
#include "host/context.h"
#include "host/model.h"
#include "host/process.h"
#include "measure/comparison.h"
#include "report/result_file.h"

namespace kvsplit::cli {

using Caches = std::vector<host::CacheChoice>;

/// --kvq, --kvq-key, --kvq-val: the precision of a cache, or of several.
struct PrecisionOptions {
  std::vector<std::string> both;  ///< sides at once, as in K8V4
  std::optional<int> key, value;

  /// `usual` where none of the options was given. Error: an impossible width, or both ways at once.
  Caches caches(const std::vector<std::string>& usual) const;
};
/// Returns --kvq, which may yet be told to take a list.
CLI::Option* add_precision_options(CLI::App& app, PrecisionOptions& options,
                                   const std::string& help);

/// llama.cpp's own caches of these types; "none" is none.
Caches stock_caches(const std::vector<std::string>& types);

/// `baseline` in front, with which the others are compared, then the others.
Caches beside(const host::CacheChoice& baseline, Caches others, const Caches& more = {});

/// An option for a value; its help calls it `type`.
template <class Value>
CLI::Option* add_value(CLI::App& app, const std::string& name, Value& value,
                       const std::string& type, const std::string& help) {
  return app.add_option(name, value, help)->type_name(type);
}

/// An option for a number of something, `least` … `most`; its help shows the default.
CLI::Option* add_count(CLI::App& app, const std::string& name, int& count, int least, int most,
                       const std::string& help);

/// -m, -v, --kvq: for commands that load a model themselves.
struct ModelOptions {
  std::string model;  ///< a file, or the name of a model that `kvsplit pull` gets
  bool verbose = false, as_f32 = false;
  PrecisionOptions packed;

  /// The caches asked for, or `usual`, which the model's plan joins at four bits if there is one.
  Caches caches_and_plan(std::vector<std::string> usual) const;

  /// Loads it onto a device, with the bar on screen until the caller clears it.
  host::Model load(const std::string& device, ProgressBar& bar) const;
};
void add_model_options(CLI::App& app, ModelOptions& options);
/// Takes --kvq and its kin away again, for commands that measure what they choose themselves.
void without_precisions(CLI::App& app);

/// The same with -t and -o, for commands that measure.
struct MeasureOptions : ModelOptions {
  std::string output;
  int threads = host::default_threads();

  /// Starts llama.cpp. Error: -o is no file that can be written.
  void start() const;
  /// Prints `text`, and writes what was measured to where -o says: to a .md file what was `above`,
  /// on screen already, and the text.
  void show(report::Records records, const std::string& above, const std::string& text) const;
};
/// Error: the folder of a file that an option names is not there. To be asked before measuring.
void check_folder(const std::string& option, const std::string& file);
void add_measure_options(CLI::App& app, MeasureOptions& options);

/// The same with -f, -c and --chunks, for those that measure on a text.
struct TextOptions : MeasureOptions {
  std::string text = shipped("examples/texts/lighthouse.txt");  ///< a file
  int context = 2048;
  int chunks = 1 << 20;  ///< at most
};
void add_text_options(CLI::App& app, TextOptions& options);
void add_window_options(CLI::App& app, TextOptions& options);  ///< -c and --chunks

/// Error: `file` is empty or cannot be read. One line break at its end is dropped, as llama.cpp
/// does with -f.
std::string read_text(const std::string& file);

/// What most commands that measure on a text begin with: llama.cpp is started, the text read, the
/// model loaded onto KVSPLIT, with a bar on screen.
struct LoadedText {
  explicit LoadedText(const TextOptions& options);

  std::string text;
  ProgressBar bar;
  host::Model model;
  std::vector<host::Token> tokens;
};

/// How many windows are taken of a text of so many tokens. Error: a window is longer than the
/// model's context, or than the text.
int n_windows(const TextOptions& options, const host::Model& model, std::size_t n_tokens);

/// What the options ask to compare. Error: the window is too long.
measure::ComparisonCall comparison(const TextOptions& options, const host::Model& model,
                                   const Caches& caches, std::span<const host::Token> tokens,
                                   ProgressBar& bar);
measure::ComparisonCall comparison(const TextOptions& options, const Caches& caches,
                                   LoadedText& loaded);

}  // namespace kvsplit::cli
