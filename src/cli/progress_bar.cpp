#include "cli/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace kvsplit::cli {
namespace {

std::string clock_time(double seconds) {
  const long rounded = std::lround(seconds);
  return fmt::format("{}:{:02}", rounded / 60, rounded % 60);
}

}  // namespace

void ProgressBar::clear() {
  if (!what_.empty()) std::fputs("\r\033[K", stderr);
  what_.clear();
}

void ProgressBar::show(const std::string& what, double done) {
  constexpr int width = 30;
  if (isatty(STDERR_FILENO) == 0) return;
  const Clock::time_point now = Clock::now();
  if (what != what_) {
    what_ = what;
    start_ = now;
  } else if (now - last_ < std::chrono::milliseconds(100)) {
    return;
  }
  last_ = now;
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const bool is_known = done > 0.01 && elapsed > 0.5;
  const std::string left =
      is_known ? fmt::format("{} left", clock_time(elapsed * (1 - done) / done)) : "";
  const int filled = std::clamp(static_cast<int>(done * width), 0, width);
  std::fputs(fmt::format("\r\033[K{:12} [{}{}] {:3.0f} %  {}", what, std::string(filled, '#'),
                         std::string(width - filled, '.'), 100 * done, left)
                 .c_str(),
             stderr);
  std::fflush(stderr);
}

}  // namespace kvsplit::cli
