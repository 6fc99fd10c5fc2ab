#pragma once

#include <functional>
#include <string>

namespace kvsplit::measure {

/// Called every second or so while something is measured: what, and how much of it is done (0 … 1).
using Progress = std::function<void(const std::string& what, double done)>;

}  // namespace kvsplit::measure
