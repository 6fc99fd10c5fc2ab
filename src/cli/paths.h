#pragma once

#include <filesystem>
#include <string>

namespace kvsplit::cli {

/// Folder of the pinned llama.cpp's programs: $KVSPLIT_LLAMA_BIN, or where they were built.
std::filesystem::path llama_folder();

/// One of the programs in scripts/.
std::string script(const std::string& name);

/// A text that comes along.
std::string example_text(const std::string& name);

/// The file of a model that `kvsplit pull` gets, "" = the demo model; another file is itself.
/// Error: it has not been pulled yet.
std::string model_file(const std::string& model);

/// $NAME, or "" where it is not set.
std::string environment(const char* name);

}  // namespace kvsplit::cli
