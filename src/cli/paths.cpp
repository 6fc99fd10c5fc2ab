#include "cli/paths.h"

#include <fmt/format.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/error.h"
#include "kvsplit_build_config.h"

#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

namespace kvsplit::cli {
namespace {

namespace fs = std::filesystem;

fs::path home_folder() {
  const std::string home = environment("HOME");
  if (home.empty()) throw Error("HOME is not set: set it, or XDG_CACHE_HOME, to a folder of yours");
  return home;
}

/// Where this program itself is, "" if the system does not say.
fs::path own_folder() {
  std::error_code error;
#ifdef __APPLE__
  std::string path(PATH_MAX, '\0');
  auto size = static_cast<std::uint32_t>(path.size());
  if (_NSGetExecutablePath(path.data(), &size) != 0) return {};
  return fs::canonical(path.c_str(), error).parent_path();
#else
  return fs::read_symlink("/proc/self/exe", error).parent_path();
#endif
}

bool is_program(const fs::path& file) {
  return !fs::is_directory(file) && access(file.c_str(), X_OK) == 0;
}

}  // namespace

Temporary::~Temporary() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path cache_folder() {
#ifdef __APPLE__
  return home_folder() / "Library/Caches/kvsplit";
#else
  const std::string xdg = environment("XDG_CACHE_HOME");
  return (xdg.empty() ? home_folder() / ".cache" : fs::path(xdg)) / "kvsplit";
#endif
}

fs::path plugin_file() {
  fs::path built = build_config::plugin_file;
  const std::string named = environment("KVSPLIT_PLUGIN");
  if (!named.empty()) {
    if (fs::exists(named)) return named;
    throw Error(fmt::format("KVSPLIT_PLUGIN={}: no such file", named));
  }
  fs::path beside = own_folder() / built.filename();
  if (fs::exists(beside)) return beside;
  if (fs::exists(built)) return built;
  throw Error(fmt::format("{}: not built, run make build", built.string()));
}

fs::path llama_folder() {
  const std::string named = environment("KVSPLIT_LLAMA_BIN");
  return named.empty() ? fs::path(build_config::llama_build_bin_dir) : fs::path(named);
}

fs::path find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (is_program(name)) return name;
    throw Error(fmt::format("{}: no such program", name));
  }
  std::istringstream folders(environment("PATH"));
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (!folder.empty() && is_program(fs::path(folder) / name)) return fs::path(folder) / name;
  }
  if (is_program(llama_folder() / name)) return llama_folder() / name;
  throw Error(fmt::format("{}: neither on PATH nor in {} (make tools builds llama.cpp's programs)",
                          name, llama_folder().string()));
}

fs::path sample_text() {
  return fs::path(build_config::source_dir) / "examples/texts/lighthouse.txt";
}

std::string read_text(const std::string& file) {
  if (fs::is_directory(file)) throw Error(fmt::format("{}: a folder, expected a text file", file));
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    throw Error(fmt::format("{}: {}", file, fs::exists(file) ? "cannot be read" : "no such file"));
  }
  std::string text(std::istreambuf_iterator<char>(stream), {});
  if (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.empty()) throw Error(fmt::format("{}: empty, expected a text", file));
  return text;
}

}  // namespace kvsplit::cli
