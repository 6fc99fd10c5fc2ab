// Any text is a precision or refused in one line; what is accepted is printed so that it is read
// back.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cache/precision.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvsplit;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const Precision precision = parse_precision(text);
    if (parse_precision(to_string(precision)) != precision) std::abort();
  } catch (const Error& error) {
    // One line, unless what was given had more.
    const bool given = text.find('\n') != std::string_view::npos;
    if (!given && std::string_view(error.what()).find('\n') != std::string_view::npos) std::abort();
  }
  return 0;
}
