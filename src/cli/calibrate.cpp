#include "tune/calibrate.h"

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/options.h"
#include "host/model.h"
#include "host/weights.h"
#include "kvsplit_build_config.h"

namespace kvsplit::cli {
namespace {

struct CalibrateOptions : TextOptions {
  CalibrateOptions() {
    context = 1024;
    chunks = 8;
    text = shipped("examples/texts/calibration.txt");
  }
  std::string plan;
};

void add_options(CLI::App& app, CalibrateOptions& options) {
  add_text_options(app, options);
  without_precisions(app);
  add_value(app, "--plan", options.plan, "FILE", "File to write (default: MODEL.kvplan)");
  add_count(app, "-c,--ctx-size", options.context, 64, 1 << 16, "Tokens of a window");
  add_count(app, "--chunks", options.chunks, 1, 1 << 20, "Windows at most");
}

int run(const CalibrateOptions& options) {
  const std::string file =
      options.plan.empty() ? host::place_for_plan(model_file(options.model)) : options.plan;
  LoadedText loaded(options);
  const tune::CalibrationCall call{comparison(options, {}, loaded)};
  const std::vector<PlannedLayer> plan = tune::calibrate(call);
  loaded.bar.clear();
  const std::string made = fmt::format(
      "kvsplit {}, {} windows of {} tokens of {} ({:016x}), frames of {}", build_config::version,
      call.n_windows, call.window, options.text, fnv1a(loaded.text), call.frame_cells);
  write_plan(file, {host::WeightFile(loaded.model.file()).fingerprint(), made}, plan);
  fmt::print("{}: plan of {} layers, for --kvq {}\n", file, plan.size(),
             options.plan.empty() ? "auto, K4V4:plan=auto …" : "K4V4:plan=" + file);
  return 0;
}

}  // namespace

void add_calibrate(CLI::App& program, int& exit_code) {
  add_command<CalibrateOptions>(program, exit_code, "calibrate",
                                "Learn from text how a model's cache is best packed",
                                "kvsplit calibrate -m model.gguf -f text.txt");
}

}  // namespace kvsplit::cli
