#pragma once

#include <sys/types.h>

#include <atomic>
#include <optional>
#include <string>
#include <vector>

namespace kvsplit::cli {

/// A program that runs with our terminal and environment, two at most at a time. Signals sent to us
/// are passed on to it; those that a terminal sends (Ctrl-C) reach it without us. When the object
/// goes it is asked to end, and killed five seconds later; where we are killed Linux asks it.
class Child {
 public:
  /// program: a path or a name on PATH. log: a file for what it prints, "" = our terminal.
  /// Error: it cannot be started.
  Child(const std::string& program, const std::vector<std::string>& arguments,
        const std::string& log = "");
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Its exit code, 128 + N where signal N ended it; nothing while it runs.
  std::optional<int> exit_code() { return look(false); }
  int wait() { return *look(true); }

 private:
  std::optional<int> look(bool until_it_ends);

  std::atomic<pid_t>& process_;  ///< 0: it has ended
  int status_ = 0;
};

/// Runs a program to its end and returns its exit code.
int run_child(const std::string& program, const std::vector<std::string>& arguments,
              const std::string& log = "");

/// Whether a signal that would end us has come since the first child was started.
bool asked_to_end();

}  // namespace kvsplit::cli
