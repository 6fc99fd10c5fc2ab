#include "cli/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "base/error.h"

namespace kvsplit::cli {
namespace {

std::array<std::atomic<pid_t>, 2> children = {};  // 0: a free place
std::atomic<bool> is_asked = false;
static_assert(std::atomic<pid_t>::is_always_lock_free, "a signal handler reads it");

/// A terminal sends Ctrl-C to its whole foreground group, so the children have it already: twice
/// would end programs that take the first as "stop talking". A terminal's signals have no sending
/// process.
void pass_on(int signal, siginfo_t* info, void* /*context*/) {
  is_asked = true;
  for (const std::atomic<pid_t>& child : children) {
    if (child > 0 && info->si_pid != 0) kill(child, signal);
  }
}

/// From now on signals that would end us go to the children, whose end is ours.
void pass_signals_on() {
  struct sigaction action = {};
  action.sa_sigaction = pass_on;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaction(signal, &action, nullptr);
}

/// In the new process: becomes the program. Only what a signal handler may call is called.
[[noreturn]] void become(char* const* words, const std::string& log, pid_t parent, int failure) {
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(1);
#endif
  (void)parent;
  const int file = log.empty() ? -1 : open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  for (const int output : {STDOUT_FILENO, STDERR_FILENO}) {
    if (file >= 0) dup2(file, output);
  }
  execvp(words[0], words);
  const int error = errno;
  _exit(write(failure, &error, sizeof error) == sizeof error ? 127 : 126);
}

[[noreturn]] void fail_to_start(const std::string& program, int error) {
  throw Error(fmt::format("{}: cannot be started: {} (make tools builds llama.cpp's programs)",
                          program, std::strerror(error)));
}

}  // namespace

Child::Child(const std::string& program, const std::vector<std::string>& arguments,
             const std::string& log)
    : process_(*std::find(children.begin(), children.end(), 0)) {
  std::vector<char*> words = {const_cast<char*>(program.c_str())};  // which it does not change
  for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pass_signals_on();
  std::array<int, 2> failure = {};  // closed by a start; where there is none, the reason comes
  if (pipe(failure.data()) != 0) fail_to_start(program, errno);
  for (const int end : failure) fcntl(end, F_SETFD, FD_CLOEXEC);
  const pid_t us = getpid();
  if ((process_ = fork()) == 0) become(words.data(), log, us, failure[1]);
  int error = process_ < 0 ? errno : 0;
  close(failure[1]);
  while (read(failure[0], &error, sizeof error) < 0 && errno == EINTR) continue;
  close(failure[0]);
  if (error == 0) return;
  if (process_ > 0) wait();
  process_ = 0;
  fail_to_start(program, error);
}

Child::~Child() {
  if (!asked_to_end() && process_ > 0) kill(process_, SIGTERM);
  for (int i = 0; i < 100 && !exit_code(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  if (process_ > 0) kill(process_, SIGKILL);
  wait();
}

std::optional<int> Child::look(bool until_it_ends) {
  if (process_ > 0) {
    // SA_RESTART: no signal interrupts it
    if (waitpid(process_, &status_, until_it_ends ? 0 : WNOHANG) == 0) return {};
    process_ = 0;
  }
  return WIFSIGNALED(status_) ? 128 + WTERMSIG(status_) : WEXITSTATUS(status_);
}

int run_child(const std::string& program, const std::vector<std::string>& arguments,
              const std::string& log) {
  return Child(program, arguments, log).wait();
}

bool asked_to_end() { return is_asked; }

}  // namespace kvsplit::cli
