#include "cli/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace kvsplit::cli {

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
  std::string left;
  if (done > 0.01 && elapsed > 0.5) {
    const long seconds = std::lround(elapsed * (1 - done) / done);
    left = fmt::format("{}:{:02} left", seconds / 60, seconds % 60);
  }
  const int filled = std::clamp(static_cast<int>(done * width), 0, width);
  fmt::print(stderr, "\r\033[K{:12} [{:#<{}}{:.<{}}] {:3.0f} %  {}", what, "", filled, "",
             width - filled, 100 * done, left);
  std::fflush(stderr);
}

}  // namespace kvsplit::cli
