#include "cli/child.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
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

/// While it lives, signals that would end us go to the child.
class SignalsToChild {
 public:
  SignalsToChild() {
    struct sigaction action = {};
    action.sa_sigaction = pass_on;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    for (std::size_t i = 0; i < signals.size(); ++i) sigaction(signals[i], &action, &before_[i]);
  }
  ~SignalsToChild() {
    child_process = 0;
    for (std::size_t i = 0; i < signals.size(); ++i) sigaction(signals[i], &before_[i], nullptr);
  }
  SignalsToChild(const SignalsToChild&) = delete;
  SignalsToChild& operator=(const SignalsToChild&) = delete;

 private:
  static constexpr std::array signals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  std::array<struct sigaction, signals.size()> before_ = {};
};

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& string : strings) result.push_back(string.data());
  result.push_back(nullptr);
  return result;
}

pid_t spawn(const ChildCall& call) {
  std::vector<std::string> arguments = call.arguments;
  arguments.insert(arguments.begin(), call.program.string());
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (call.output_to_stderr) {
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  }
  pid_t child = 0;
  const int error = posix_spawn(&child, call.program.c_str(), &actions, nullptr,
                                pointers(arguments).data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    throw Error(
        fmt::format("{}: cannot be started: {}", call.program.string(), std::strerror(error)));
  }
  return child;
}

}  // namespace

int run_child(const ChildCall& call) {
  const SignalsToChild signals;
  const pid_t child = spawn(call);
  child_process = child;
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw Error(fmt::format("{}: lost", call.program.string()));
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace kvsplit::cli
