#pragma once

#include <string>

#include "measure/results.h"

namespace kvsplit::report {

/// A table with a row per layer, the mean of its heads; one with a row per cache; the verdict.
std::string text(const measure::Explanation& found);

/// Which side costs more, in which layers keys suffer most and what of: sentences made of numbers.
std::string verdict(const measure::Explanation& found);

/// An object with the keys of docs/results.md: bits, heads, caches and verdict.
std::string json(const measure::Explanation& found);

/// The heads alone, their keys as columns.
std::string csv(const measure::Explanation& found);

}  // namespace kvsplit::report
