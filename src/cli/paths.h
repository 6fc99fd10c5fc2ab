#pragma once

#include <filesystem>
#include <string>
#include <utility>

namespace kvsplit::cli {

/// A file or folder that is gone when we are.
class Temporary {
 public:
  explicit Temporary(std::filesystem::path path) : path_(std::move(path)) {}
  ~Temporary();
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// ${XDG_CACHE_HOME:-~/.cache}/kvsplit, on a Mac ~/Library/Caches/kvsplit.
std::filesystem::path cache_folder();

/// libggml-kvsplit.so: $KVSPLIT_PLUGIN, beside this program, or where it was built.
/// Error: in none of these places.
std::filesystem::path plugin_file();

/// Folder of the pinned llama.cpp's programs: $KVSPLIT_LLAMA_BIN, or where they were built.
std::filesystem::path llama_folder();

/// A program by path or name: on PATH, or else in llama_folder(). Error: in neither.
std::filesystem::path find_program(const std::string& name);

/// The text that measurements use where none is named.
std::filesystem::path sample_text();

/// Error: `file` is missing, empty or cannot be read. One line break at its end is dropped, as
/// llama.cpp does with -f.
std::string read_text(const std::string& file);

/// $NAME, or "" where it is not set.
std::string environment(const char* name);

}  // namespace kvsplit::cli
