#pragma once

#include <exception>
#include <new>
#include <stdexcept>

namespace kvsplit {

/// The one exception of this project: something outside is wrong (a file, an option, a host).
/// The message is one line that names what, where, expected and found, and how to mend it.
/// Thrown at the borders only; never in the hot path and never through the host's callbacks.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What to say of it; that there is no memory is said without any.
inline const char* reason_of(const std::exception& error) {
  const bool no_memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
  return no_memory ? "out of memory" : error.what();
}

/// A function of ours for a host that knows no exceptions: no_throw<function, failure, complain> is
/// that function; where it throws this calls complain(message) and returns `failure`,
/// whether there is memory to complain with or not.
template <auto function, auto failure, auto complain, class... Arguments>
auto no_throw(Arguments... arguments) noexcept -> decltype(function(arguments...)) {
  try {
    return function(arguments...);
  } catch (const std::exception& error) {
    try {
      complain(reason_of(error));
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): nothing else can be done
    }
    return static_cast<decltype(function(arguments...))>(failure);
  }
}

}  // namespace kvsplit
