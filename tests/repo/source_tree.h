#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

// The repository's own sources as text, for tests that hold them to the rules of CONTRIBUTING.md.
namespace kvsplit::repo {

struct SourceFile {
  std::string path;  ///< from the repository's root: "src/cache/plan.h"
  std::vector<std::string> lines;

  bool is_in(std::string_view folder) const { return path.starts_with(folder); }
};

/// Included names of one file, as written between the quotes or angle brackets.
inline std::vector<std::string> includes_of(const SourceFile& file) {
  std::vector<std::string> names;
  for (const std::string& line : file.lines) {
    const std::size_t hash = line.find_first_not_of(" \t");
    if (hash == std::string::npos || !line.substr(hash).starts_with("#")) continue;
    if (line.find("include") == std::string::npos) continue;
    const std::size_t open = line.find_first_of("<\"");
    const std::size_t close = line.find_first_of(">\"", open + 1);
    if (open == std::string::npos || close == std::string::npos) continue;
    names.push_back(line.substr(open + 1, close - open - 1));
  }
  return names;
}

/// C++ sources under the folders named, sorted by path.
inline std::vector<SourceFile> read_sources(const std::vector<std::string>& folders) {
  namespace fs = std::filesystem;
  const fs::path root = KVSPLIT_SOURCE_DIR;
  std::vector<SourceFile> files;
  for (const std::string& folder : folders) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".h" && extension != ".cpp") continue;
      SourceFile file{fs::relative(entry.path(), root).generic_string(), {}};
      std::ifstream stream(entry.path());
      for (std::string line; std::getline(stream, line);) file.lines.push_back(line);
      files.push_back(std::move(file));
    }
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

/// One complaint a line, so that a failing test names every place at once.
inline std::string joined(const std::vector<std::string>& complaints) {
  std::string text;
  for (const std::string& complaint : complaints) text += "\n  " + complaint;
  return text;
}

}  // namespace kvsplit::repo
