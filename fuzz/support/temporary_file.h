#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace kvsplit::fuzz {

/// A file that holds what it was given last; removed with the object.
class TemporaryFile {
 public:
  TemporaryFile() {
    const std::filesystem::path shm("/dev/shm");
    const auto folder = exists(shm) ? shm : std::filesystem::temp_directory_path();
    name_ = (folder / ("kvsplit-fuzz-" + std::to_string(getpid()) + ".json")).string();
  }
  ~TemporaryFile() { std::filesystem::remove(name_); }

  const std::string& holding(std::string_view bytes) const {
    std::ofstream(name_, std::ios::binary).write(bytes.data(), std::ssize(bytes));
    return name_;
  }

 private:
  std::string name_;
};

}  // namespace kvsplit::fuzz
