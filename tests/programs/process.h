#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace kvsplit::programs {

/// A folder of its own under the system's temporary one, removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& file);

using Environment = std::map<std::string, std::string>;  ///< added to the tests' own

struct Command {
  std::vector<std::string> arguments;  ///< the program first: a path, or a name on $PATH
  Environment environment;
  std::chrono::seconds limit{120};
};

struct Result {
  int exit_code = -1;  ///< 128 + signal where a signal ended it
  std::string output;  ///< standard output
  std::string log;     ///< standard error

  std::string all() const { return output + log; }
};

/// Runs to the end, with nothing to read. Error: it cannot be started, or took longer than allowed.
Result run(const Command& command);

/// A program that runs until the object goes: asked to end, killed five seconds later.
class Background {
 public:
  explicit Background(const Command& command);
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  bool running();
  pid_t id() const { return process_; }
  void send(int signal) const { kill(process_, signal); }
  /// Its exit code, 128 + signal where a signal ended it.
  int stop();
  std::string output() const { return read_file(folder_.path() / "output"); }
  std::string log() const { return read_file(folder_.path() / "log"); }

 private:
  friend Result run(const Command& command);
  bool wait(std::chrono::milliseconds limit);

  TemporaryFolder folder_;
  pid_t process_ = -1;
  int status_ = 0;
};

/// A port of 127.0.0.1 that nobody listens on at the moment.
int free_port();

/// Waits until somebody accepts connections there. Error: `program` has ended, or a minute is over.
void wait_for_port(int port, Background& program);

}  // namespace kvsplit::programs
