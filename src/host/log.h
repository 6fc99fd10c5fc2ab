#pragma once

#include <ggml.h>

#include <string>
#include <vector>

namespace kvsplit::host {

/// Sends the log of llama.cpp and ggml to us: dropped, or shown on stderr when `verbose`.
void install_log(bool verbose);

/// Keeps what llama.cpp logs while it lives, shown or not, so that a failure can say its reason.
/// Captures may be nested; each sees the lines of its own lifetime, from all threads.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  /// The first error line without the function name in front of it, or "" if there was none. The
  /// first one is the reason; those that follow say that the caller failed too.
  std::string first_error() const;

  /// Sum of the numbers that follow `label` in the lines, as in "KV buffer size =    45.00 MiB".
  double sum_after(const std::string& label) const;

 private:
  struct Line {
    bool is_error;
    std::string text;
  };
  static void receive(ggml_log_level level, const char* text, void* verbose);
  friend void install_log(bool);

  std::vector<Line> lines_;
};

}  // namespace kvsplit::host
