#pragma once

#include <exception>

namespace kvsplit {

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
