#include "base/event_file.h"

#include <cstdlib>
#include <fstream>

namespace kvsplit {

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return result + '"';
}

void append_event(std::string_view event, const std::string& fields) {
  const char* const path = std::getenv("KVSPLIT_REPORT");
  if (path == nullptr || *path == '\0') return;
  // One write: several processes may share the file.
  std::ofstream(path, std::ios::app) << "{\"event\": " + quoted(event) + ", " + fields + "}\n";
}

}  // namespace kvsplit
