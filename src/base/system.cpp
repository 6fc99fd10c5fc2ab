#include "base/system.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace kvsplit {

bool replace_file(const std::string& file, std::string_view content) {
  const std::string unfinished = file + ".new";
  std::ofstream stream(unfinished, std::ios::binary);
  stream << content;
  stream.close();
  if (stream && std::rename(unfinished.c_str(), file.c_str()) == 0) return true;
  std::remove(unfinished.c_str());
  return false;
}

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace kvsplit
