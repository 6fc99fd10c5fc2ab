#include "tune/calibrate.h"

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/options.h"

namespace kvsplit::cli {
namespace {

struct CalibrateOptions : TextOptions {
  CalibrateOptions() {
    context = 1024;
    chunks = 8;
  }
  std::string plan = "model.kvplan";
  int frame = 256;
};

void add_options(CLI::App& app, CalibrateOptions& options) {
  add_text_options(app, options);
  add_value(app, "--plan", options.plan, "FILE", "File to write");
  add_count(app, "-c,--ctx-size", options.context, 64, 1 << 16, "Tokens of a window");
  add_count(app, "--chunks", options.chunks, 1, 1 << 20, "Windows at most");
  add_count(app, "--frame", options.frame, 0, 1 << 16,
            "Cells whose keys are turned back by one position; 0: none are");
}

int run(const CalibrateOptions& options) {
  options.start();
  const std::string text = read_text(options.text);
  ProgressBar bar;
  const host::Model model = options.load("KVSPLIT", bar);
  const std::vector<host::Token> tokens = model.tokenize(text);
  tune::CalibrationCall call;
  call.model = &model;
  call.tokens = tokens;
  call.window = options.context;
  call.n_windows = n_windows(options, model, tokens.size());
  call.frame_cells = options.frame / tile_rows * tile_rows;
  call.n_threads = options.threads;
  call.progress = [&](const std::string& what, double done) { bar.show(what, done); };
  const std::vector<PlannedLayer> plan = tune::calibrate(call);
  bar.clear();
  write_plan(options.plan, plan);
  fmt::print(
      "{}: plan of {} layers from {} windows of {} tokens; use it as --kvq K4V4:sinks=4:plan={}\n",
      options.plan, plan.size(), call.n_windows, call.window, options.plan);
  return 0;
}

}  // namespace

void add_calibrate(CLI::App& program, int& exit_code) {
  add_command<CalibrateOptions>(program, exit_code, "calibrate",
                                "Learn from text how a model's cache is best packed",
                                "kvsplit calibrate -m model.gguf -f text.txt --plan model.kvplan");
}

}  // namespace kvsplit::cli
