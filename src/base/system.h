#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kvsplit {

/// Gives a file this content. Whoever reads it meanwhile, or after a crash, has the old content or
/// the new one. False: it cannot be written, and is what it was.
bool replace_file(const std::string& file, std::string_view content);

/// All bytes of a file; nothing where it cannot be read.
std::optional<std::string> file_content(const std::string& file);

/// $NAME, or "" where it is not set.
std::string environment(const char* name);

}  // namespace kvsplit
