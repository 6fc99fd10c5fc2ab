#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace kvsplit::test {

/// $NAME, which CTest sets; a test that needs it fails where it is missing.
inline std::string environment(const char* name) {
  const char* value = std::getenv(name);
  EXPECT_NE(value, nullptr) << name << " is not set: run the tests with ctest";
  return value == nullptr ? "" : value;
}

struct ProgramResult {
  int exit_code = -1;
  std::string output, errors;
};

/// A folder for one test, empty at first and gone at the end.
class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "kvsplit-test-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline std::string contents(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline void write_file(const std::string& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

/// Runs a command line in a shell, with nothing on its stdin.
inline ProgramResult run_shell(const std::string& command) {
  const TestFolder folder;
  const std::string line =
      "( " + command + " ) </dev/null >'" + (folder / "out") + "' 2>'" + (folder / "err") + "'";
  const int status = std::system(line.c_str());
  ProgramResult result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  result.output = contents(folder / "out");
  result.errors = contents(folder / "err");
  return result;
}

/// The demo model, which `make test` pulls.
inline std::string demo_model() {
  const char* home = std::getenv("HOME");
  const char* xdg = std::getenv("XDG_CACHE_HOME");
#ifdef __APPLE__
  const std::string cache = std::string(home) + "/Library/Caches";
#else
  const std::string cache = xdg != nullptr ? xdg : std::string(home) + "/.cache";
#endif
  (void)xdg;
  const std::string file = cache + "/kvsplit/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  EXPECT_TRUE(std::filesystem::exists(file)) << file << " is missing: run kvsplit pull";
  return file;
}

}  // namespace kvsplit::test
