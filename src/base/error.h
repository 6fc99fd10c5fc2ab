#pragma once

#include <exception>
#include <stdexcept>

namespace kvsplit {

/// The one exception of this project: something outside is wrong (a file, an option, a host).
/// The message is one line that names what, where, expected and found, and how to mend it.
/// Thrown at the borders only; never in the hot path and never through the host's callbacks.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A function of ours for a host that knows no exceptions: no_throw<function, failure, complain> is
/// that function; where it throws this calls complain(message) and returns `failure`.
template <auto function, auto failure, auto complain, class... Arguments>
auto no_throw(Arguments... arguments) noexcept -> decltype(function(arguments...)) {
  try {
    return function(arguments...);
  } catch (const std::exception& error) {
    complain(error.what());
    return static_cast<decltype(function(arguments...))>(failure);
  }
}

}  // namespace kvsplit
