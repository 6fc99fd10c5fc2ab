#pragma once

#include <chrono>
#include <string>

namespace kvsplit::cli {

/// One line on stderr that says what is done and how long the rest will take. Shown only where
/// stderr is a terminal, at most ten times a second, and gone when the bar is.
class ProgressBar {
 public:
  ~ProgressBar() { clear(); }

  /// done: 0 … 1 of `what`. A new `what` starts counting time anew.
  void show(const std::string& what, double done);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  std::string what_;  ///< "" = there is no line on screen
  Clock::time_point start_, last_;
};

}  // namespace kvsplit::cli
