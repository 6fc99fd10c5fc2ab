#pragma once

#include <nlohmann/json.hpp>
#include <span>

#include "measure/results.h"

namespace kvsplit::report {

using Json = nlohmann::ordered_json;

/// A key of the files and where its value comes from.
struct Field {
  const char* key;
  Json (*value)(const measure::CacheRecord&);
};

/// All keys, in the order in which they are written. docs/results.md explains each.
std::span<const Field> fields();

}  // namespace kvsplit::report
