#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "report/records.h"

// What those who write and read results share.
namespace kvsplit::report {

using Json = nlohmann::ordered_json;

/// A list of objects with all keys, in the order in which they are written.
Json as_json(Records records);

/// The objects of a list as lines, as RFC 4180 has it; `nothing` is one that says what keys are.
std::string csv(const Json& list, const Json& nothing);

/// What a file holds. Error: it cannot be read, or is no JSON.
Json read_json(const std::string& file);

/// Error: no object with the keys of `like` alone and values of its kinds; where that has null, a
/// number or null. The message begins with `where`: which file, and what of it.
void check(const std::string& where, const Json& found, const Json& like);

/// Error: no list, one with nothing in it, or one with an object that is not like `like`.
void check_list(const std::string& where, const Json& found, const Json& like);

/// The same of records of caches, and of what is written of an explanation.
void check_records(const std::string& where, const Json& found);
void check_explained(const std::string& where, const Json& found);

}  // namespace kvsplit::report
