#include "tests/programs/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/error.h"

extern char** environ;

namespace kvsplit::programs {
namespace {

/// The strings that posix_spawn wants as arrays of char*.
class Strings {
 public:
  explicit Strings(std::vector<std::string> strings) : strings_(std::move(strings)) {
    for (std::string& string : strings_) {
      pointers_.push_back(string.data());
    }
    pointers_.push_back(nullptr);
  }
  char** get() { return pointers_.data(); }

 private:
  std::vector<std::string> strings_;
  std::vector<char*> pointers_;
};

std::vector<std::string> with_own_environment(const Environment& added) {
  Environment all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    all[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : added) {
    all[name] = value;
  }
  std::vector<std::string> entries;
  entries.reserve(all.size());
  for (const auto& [name, value] : all) {
    entries.push_back(name + '=' + value);
  }
  return entries;
}

pid_t spawn(const Command& command, const std::filesystem::path& folder) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  const int create = O_WRONLY | O_CREAT | O_APPEND;
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, (folder / "output").c_str(), create,
                                   0600);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, (folder / "log").c_str(), create, 0600);

  Strings arguments(command.arguments);
  Strings environment(with_own_environment(command.environment));
  pid_t process = -1;
  const int error = posix_spawnp(&process, command.arguments.front().c_str(), &files, nullptr,
                                arguments.get(), environment.get());
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) {
    throw Error(command.arguments.front() + ": cannot be started: " + std::strerror(error));
  }
  return process;
}

int exit_code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "kvsplit-test.XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    throw Error(name + ": cannot be made: " + std::strerror(errno));
  }
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string read_file(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

Background::Background(const Command& command) : process_(spawn(command, folder_.path())) {}

Background::~Background() { stop(); }

bool Background::running() { return !wait(std::chrono::milliseconds(0)); }

bool Background::wait(std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (process_ > 0) {
    if (waitpid(process_, &status_, WNOHANG) == process_) {
      process_ = -1;
    } else if (std::chrono::steady_clock::now() >= end) {
      return false;
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  return true;
}

void Background::stop() {
  if (process_ > 0) {
    kill(process_, SIGTERM);
    if (!wait(std::chrono::seconds(5))) {
      kill(process_, SIGKILL);
      waitpid(process_, &status_, 0);
      process_ = -1;
    }
  }
}

Result run(const Command& command) {
  Background program(command);
  if (!program.wait(command.limit)) {
    program.stop();
    throw Error(command.arguments.front() + ": not done after " +
                std::to_string(command.limit.count()) + " seconds; its log: " + program.log());
  }
  return {exit_code_of(program.status_), program.output(), program.log()};
}

int free_port() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  const bool bound = listener >= 0 && bind(listener, generic, size) == 0 &&
                     getsockname(listener, generic, &size) == 0;
  close(listener);
  if (!bound) {
    throw Error("127.0.0.1: no free port");
  }
  return ntohs(address.sin_port);
}

}  // namespace kvsplit::programs
