#pragma once

#include <stdexcept>

namespace kvsplit {

/// The one exception of this project: something outside is wrong (a file, an option, a host).
/// The message is one line that names what, where, expected and found, and how to mend it.
/// Thrown at the borders only; never in the hot path and never through the host's callbacks.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace kvsplit
