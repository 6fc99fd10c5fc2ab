#include "base/system.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace kvsplit {
namespace {

// Before it gets its name: a machine that loses its power may otherwise keep the name alone.
bool is_on_disk(const std::string& file) {
  const int handle = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  const bool kept = handle >= 0 && (fsync(handle) == 0 || errno == EINVAL);  // some know no fsync
  close(handle);
  return kept;
}

}  // namespace

bool replace_file(const std::string& file, std::string_view content) {
  const std::string unfinished = file + ".new";
  std::ofstream stream(unfinished, std::ios::binary);
  stream << content;
  stream.close();
  if (stream && is_on_disk(unfinished) && std::rename(unfinished.c_str(), file.c_str()) == 0)
    return true;
  std::remove(unfinished.c_str());
  return false;
}

std::optional<std::string> file_content(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return {};
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace kvsplit
