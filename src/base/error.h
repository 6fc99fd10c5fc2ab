#pragma once

#include <stdexcept>
#include <string>

namespace kvsplit {

/// The one exception of this project: something outside is wrong (a file, an option, a host).
/// The message is one line that names what, where, expected and found, and how to mend it.
/// Thrown at the borders only; never in the hot path and never through the host's callbacks.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

}  // namespace kvsplit
