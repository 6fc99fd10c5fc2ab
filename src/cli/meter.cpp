#include "cli/meter.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/plugin_report.h"
#include "report/table.h"

namespace kvsplit::cli {
namespace {

/// Of the terminal that stderr is; all 0: it is none.
winsize terminal_size() {
  winsize size = {};
  ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
  return size;
}

/// ", 21.3 GiB free", where the system tells what programs can still have.
std::string free_memory() {
  std::ifstream stream("/proc/meminfo");
  for (std::string line; std::getline(stream, line);) {
    double kib = 0;
    if (std::sscanf(line.c_str(), "MemAvailable: %lf", &kib) != 1) continue;
    return fmt::format(", {} free", report::bytes(kib * 1024));
  }
  return "";
}

void write_now(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace

std::string use_line(const nlohmann::json& cache, std::uint64_t cells) {
  double bytes = 0;
  double fp16_bytes = 0;
  for (const auto& tensor : cache.value("tensors", nlohmann::json::array())) {
    const double all = std::max(tensor.value("cells", 1.0), 1.0);
    const double part = std::min(static_cast<double>(cells) / all, 1.0);
    bytes += part * tensor.value("bytes", 0.0);
    fp16_bytes += part * 2 * tensor.value("numbers", 0.0);
  }
  return fmt::format("{} cache: {} in use, {} as FP16", cache.value("precision", ""),
                     report::bytes(bytes), report::bytes(fp16_bytes));
}

Meter::Meter(const TemporaryFolder& folder) : use_(folder / "meter") {
  setenv("KVSPLIT_METER", (folder / "meter").c_str(), 1);
}

Meter::~Meter() {
  if (n_lines_ > 0) write_now(fmt::format("\0337\033[r\033[{};1H\033[2K\0338", n_lines_));
  if (!line_.empty()) write_now(fmt::format("kvsplit: {}\n", line_));
}

void Meter::measure_speed() {
  const Clock::time_point now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - since_).count();
  if (seconds < (speed_ > 0 ? 1 : 0.1)) return;
  const std::uint64_t tokens = use_->tokens;
  if (tokens > tokens_) speed_ = static_cast<double>(tokens - tokens_) / seconds;
  tokens_ = tokens;
  since_ = now;
}

// All lines but the last scroll (DECSTBM), which moves the cursor; a line feed makes room first.
void Meter::reserve_line(int n_lines) {
  if (n_lines == n_lines_) return;
  n_lines_ = n_lines;
  write_now(fmt::format("\n\033[A\0337\033[1;{}r\0338", n_lines - 1));
}

void Meter::show(const std::string& report) {
  measure_speed();
  const nlohmann::json cache = largest_cache(report);
  if (cache.is_null() || use_->tokens == 0) return;
  line_ = fmt::format("{}, {:.1f} tokens/s{}", use_line(cache, use_->cells), speed_, free_memory());
  const winsize size = terminal_size();
  if (size.ws_row < 2) return;
  reserve_line(size.ws_row);
  // One write, with the cursor put back: the program writes to the same terminal.
  write_now(fmt::format("\0337\033[{};1H\033[2K\033[7m{}\033[27m\0338", size.ws_row,
                        line_.substr(0, size.ws_col)));
}

}  // namespace kvsplit::cli
