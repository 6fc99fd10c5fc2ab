#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace kvsplit::cli {

/// Tells in one line what the plugin has reported to the file $KVSPLIT_REPORT while `program` ran:
/// the memory of its cache, or why there was none. "" where there is nothing worth saying.
std::string closing_line(const std::filesystem::path& report, const std::string& program);

/// What the plugin has reported there of the largest cache (plugin/process.h); null: there is none.
nlohmann::json largest_cache(const std::filesystem::path& report);

}  // namespace kvsplit::cli
