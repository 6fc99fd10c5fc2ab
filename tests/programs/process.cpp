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

#ifdef __APPLE__  // elsewhere <unistd.h> declares it
extern char** environ;
#endif

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
    entries.push_back(name);
    entries.back().append("=").append(value);
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

int Background::stop() {
  if (process_ > 0) {
    kill(process_, SIGTERM);
    if (!wait(std::chrono::seconds(5))) {
      kill(process_, SIGKILL);
      waitpid(process_, &status_, 0);
      process_ = -1;
    }
  }
  return exit_code_of(status_);
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

namespace {

/// Binds or connects a socket of 127.0.0.1; `use` is bind or connect. Returns its port, or -1.
template <class Use>
int local_socket(int port, Use use) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  const int handle = socket(AF_INET, SOCK_STREAM, 0);
  const bool used =
      handle >= 0 && use(handle, generic, size) == 0 && getsockname(handle, generic, &size) == 0;
  close(handle);
  return used ? ntohs(address.sin_port) : -1;
}

}  // namespace

int free_port() {
  const int port = local_socket(0, bind);
  if (port < 0) {
    throw Error("127.0.0.1: no free port");
  }
  return port;
}

void wait_for_port(int port, Background& program) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (local_socket(port, connect) < 0) {
    if (!program.running() || std::chrono::steady_clock::now() > end) {
      throw Error("nobody listens on port " + std::to_string(port) + ": " + program.output() +
                  program.log());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace kvsplit::programs
