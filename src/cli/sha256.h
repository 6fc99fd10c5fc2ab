#pragma once

#include <filesystem>
#include <string>

namespace kvsplit::cli {

/// 64 lower-case hexadecimal digits. Error: the file cannot be read.
std::string sha256_of(const std::filesystem::path& file);

}  // namespace kvsplit::cli
