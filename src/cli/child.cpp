#include "cli/child.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>

#include "base/error.h"

#ifdef __APPLE__
extern char** environ;  // POSIX asks the program to declare it; elsewhere unistd.h does
#endif

namespace kvsplit::cli {
namespace {

std::atomic<pid_t> child_process = 0;
static_assert(std::atomic<pid_t>::is_always_lock_free, "a signal handler reads it");

/// A terminal sends Ctrl-C to its whole foreground group, so the child has it already: twice would
/// end programs that take the first as "stop talking". A terminal's signals have no sending
/// process.
void pass_on(int signal, siginfo_t* info, void* /*context*/) {
  const pid_t child = child_process;
  if (child > 0 && info->si_pid != 0) kill(child, signal);
}

/// From now on signals that would end us go to the child, whose end is ours.
void pass_signals_on() {
  struct sigaction action = {};
  action.sa_sigaction = pass_on;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaction(signal, &action, nullptr);
}

}  // namespace

int run_child(const std::string& program, const std::vector<std::string>& arguments) {
  std::vector<char*> words = {const_cast<char*>(program.c_str())};  // which it does not change
  for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pass_signals_on();
  pid_t child = 0;
  const int error = posix_spawnp(&child, words[0], nullptr, nullptr, words.data(), environ);
  if (error != 0) {
    throw Error(fmt::format("{}: cannot be started: {} (make tools builds llama.cpp's programs)",
                            program, std::strerror(error)));
  }
  child_process = child;
  int status = 0;
  waitpid(child, &status, 0);  // SA_RESTART: no signal interrupts it
  child_process = 0;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace kvsplit::cli
