#pragma once

#include <filesystem>
#include <string>

namespace kvsplit::cli {

/// Folder of the pinned llama.cpp's programs: $KVSPLIT_LLAMA_BIN, or where they were installed or
/// built.
std::filesystem::path llama_folder();

/// libggml-kvsplit.so, for programs of llama.cpp to load.
std::string plugin_file();

/// A file of the repository that comes along: "scripts/get-model", "examples/texts/…".
std::string shipped(const std::string& name);

/// The file of a model that `kvsplit pull` gets, "" = the demo model; another file is itself.
/// Error: it has not been pulled yet.
std::string model_file(const std::string& model);

/// A folder of its own among the temporary ones, or elsewhere, gone with all that is in it when we
/// are. Error: it cannot be made.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(
      const std::filesystem::path& place = std::filesystem::temp_directory_path());
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace kvsplit::cli
