#include "report/results.h"

#include <fmt/format.h>

#include <fstream>

#include "base/error.h"

namespace kvsplit::report {
namespace {

/// What a value has to be, "" where it is that.
std::string expected(const Json& value, const Json& like) {
  if (like.is_null()) return value.is_null() || value.is_number() ? "" : "a number or null";
  if (like.is_number_integer()) return value.is_number_integer() ? "" : "a whole number";
  if (like.is_number()) return value.is_number() ? "" : "a number";
  return value.type() == like.type() ? "" : like.is_string() ? "a text" : "a list";
}

/// In one line.
std::string shown(const Json& value) {
  if (value.is_structured()) return value.is_array() ? "a list" : "an object";
  return value.dump(-1, ' ', true).substr(0, 40);
}

}  // namespace

Json read_json(const std::string& file) {
  std::ifstream stream(file);
  if (!stream) throw Error(file + ": cannot be read");
  // Copied while it grows, deep nesting would take more stack than there is: it is left out.
  const auto is_kept = [](int depth, Json::parse_event_t, const Json&) { return depth < 8; };
  Json found = Json::parse(stream, is_kept, false);
  if (found.is_discarded()) throw Error(file + ": damaged, or no JSON");
  return found;
}

void check(const std::string& where, const Json& found, const Json& like) {
  if (!found.is_object()) throw Error(fmt::format("{}: {}, expected keys", where, shown(found)));
  for (const auto& [key, value] : found.items()) {
    if (!like.contains(key)) throw Error(fmt::format("{}: unknown key {}", where, shown(key)));
  }
  for (const auto& [key, wanted] : like.items()) {
    if (!found.contains(key)) throw Error(fmt::format("{}: no key \"{}\"", where, key));
    const std::string what = expected(found[key], wanted), value = shown(found[key]);
    if (what.empty()) continue;
    throw Error(fmt::format("{}: {}: expected {}, found {}", where, key, what, value));
  }
}

void check_list(const std::string& where, const Json& found, const Json& like) {
  if (!found.is_array() || found.empty()) throw Error(where + ": expected a list of records");
  for (std::size_t i = 0; i < found.size(); ++i) {
    check(fmt::format("{}: record {}", where, i + 1), found[i], like);
  }
}

Json Results::all_records() const {
  Json all = records;
  for (const Json& one : explained) {
    all.insert(all.end(), one["caches"].begin(), one["caches"].end());
  }
  return all;
}

Results read_results(const std::vector<std::string>& files) {
  Results results;
  for (const std::string& file : files) {
    const Json found = read_json(file);
    if (found.is_object()) {
      check_explained(file, found);
      results.explained.push_back(found);
    } else {
      check_records(file, found);
      results.records.insert(results.records.end(), found.begin(), found.end());
    }
  }
  return results;
}

}  // namespace kvsplit::report
