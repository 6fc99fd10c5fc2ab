#pragma once

#include <exception>

namespace kvsplit {

/// A function of ours for a host that knows no exceptions: NoThrow<f, failure, complain>::call is f
/// with f's own arguments; where f throws it calls complain(message) and returns `failure`.
template <auto function, auto failure, auto complain>
struct NoThrow;

template <class Result, class... Arguments, Result (*function)(Arguments...), auto failure,
          auto complain>
struct NoThrow<function, failure, complain> {
  static Result call(Arguments... arguments) noexcept {
    try {
      return function(arguments...);
    } catch (const std::exception& error) {
      complain(error.what());
      return static_cast<Result>(failure);
    }
  }
};

}  // namespace kvsplit
