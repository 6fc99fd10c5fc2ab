// report: a page and pictures of results, which gnuplot draws as share/report/charts.gp says.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/system.h"
#include "cli/child.h"
#include "cli/command.h"
#include "cli/options.h"
#include "report/page.h"

namespace kvsplit::cli {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

struct ReportOptions {
  Strings files;
  fs::path output = "kvsplit-report.html";
};

void add_options(CLI::App& app, ReportOptions& options) {
  add_value(app, "results", options.files, "FILE",
            "What compare, perplexity, bench and explain wrote with -o, any of them")
      ->required();
  add_value(app, "-o,--output", options.output, "FILE",
            "The page, a .html file; its pictures are put beside it")
      ->capture_default_str();
}

void save(const std::string& file, const std::string& content) {
  if (!replace_file(file, content)) throw Error(file + ": cannot be written, is the disk full?");
}

/// Texts of results reach it as arguments and data, which it does not run as it would a script.
void run_gnuplot(Strings arguments, const std::string& log) {
  arguments.insert(arguments.begin(), "-d");  // nothing of the user's own settings
  int exit_code = 0;
  try {
    exit_code = run_child("gnuplot", arguments, log);
  } catch (const Error&) {
    throw Error(
        "gnuplot cannot be started: install gnuplot-nox (Debian, Ubuntu) or gnuplot (Homebrew)");
  }
  if (asked_to_end()) throw Error("report: stopped, nothing is written");
  if (exit_code == 0) return;
  std::string said = file_content(log).value_or("");
  std::ranges::replace(said, '\n', ' ');
  throw Error(fmt::format("gnuplot ended with exit code {}: {}", exit_code, said));
}

/// Makes a chart's pictures, beginnings of whose names are `start`; returns that for the page.
std::string draw(const report::Chart& chart, const std::string& start, const std::string& style) {
  const TemporaryFolder work;
  const std::string data = work / "data", picture = start + chart.name;
  save(data, drawing(chart));
  run_gnuplot({"-c", shipped("share/report/charts.gp"), data, picture, chart.kind, chart.x,
               chart.kind == "grid" ? chart.of : chart.y},
              work / "log");
  if (fs::exists(picture + ".png") &&
      !file_content(picture + ".png").value_or("").ends_with("IEND\xAE\x42\x60\x82")) {
    throw Error(picture + ".png: cut off, is the disk full?");
  }
  std::string svg = finished(file_content(picture + ".svg").value_or(""), chart, style);
  save(picture + ".svg", svg);
  return svg;
}

/// Moves all files to the folder, or none.
void move_files(const fs::path& from, const fs::path& to) {
  for (const auto& entry : fs::directory_iterator(from)) {
    const fs::path place = to / entry.path().filename();
    if (fs::is_directory(place)) throw Error(place.string() + ": a folder, expected a file");
  }
  for (const auto& entry : fs::directory_iterator(from)) {
    fs::rename(entry, to / entry.path().filename());
  }
}

int run(const ReportOptions& options) {
  if (options.output.extension() != ".html") {
    throw Error(fmt::format("-o {}: expected a .html file", options.output.string()));
  }
  check_folder("-o", options.output);
  const report::Results results = report::read_results(options.files);
  const std::vector<report::Chart> charts = charts_of(results);
  if (charts.empty()) throw Error("report: nothing in these results can be drawn");
  // Absolute: a name that begins with | or < would be a command for gnuplot.
  const fs::path place = fs::absolute(options.output).parent_path();
  const TemporaryFolder folder(place);
  const std::string style = read_text(shipped("share/report/picture.css"));
  Strings pictures;
  for (const report::Chart& chart : charts) {
    pictures.push_back(draw(chart, folder / (options.output.stem().string() + "-"), style));
  }
  save(folder / options.output.filename(),
       page(read_text(shipped("share/report/page.html")), results, charts, pictures));
  move_files(folder / "", place);
  fmt::print("{}: {} charts, beside it as pictures\n", options.output.string(), charts.size());
  return 0;
}

}  // namespace

void add_report(CLI::App& program, int& exit_code) {
  add_command<ReportOptions>(program, exit_code, "report", "Make a page with charts of results",
                             "kvsplit report compare.json explain.json -o results.html");
}

}  // namespace kvsplit::cli
