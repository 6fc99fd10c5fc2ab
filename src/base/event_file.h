#pragma once

#include <string>
#include <string_view>

namespace kvsplit {

/// A JSON string.
std::string quoted(std::string_view text);

/// Appends {"event": event, fields} as one line to the file that $KVSPLIT_REPORT names, if it does:
/// that is how the program that started a host learns what the plugin in it did.
void append_event(std::string_view event, const std::string& fields);

}  // namespace kvsplit
