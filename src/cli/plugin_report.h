#pragma once

#include <filesystem>
#include <string>

namespace kvsplit::cli {

/// Tells in one line what the plugin has reported to the file $KVSPLIT_REPORT while `program` ran:
/// the memory of its cache, or why there was none. "" where there is nothing worth saying.
std::string closing_line(const std::filesystem::path& report, const std::string& program);

}  // namespace kvsplit::cli
