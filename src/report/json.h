#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "report/records.h"

// What the writers of results share.
namespace kvsplit::report {

using Json = nlohmann::ordered_json;

/// A list of objects with all keys, in the order in which they are written.
Json as_json(Records records);

/// The objects of a list as lines, as RFC 4180 has it; `nothing` is one that says what keys are.
std::string csv(const Json& list, const Json& nothing);

}  // namespace kvsplit::report
