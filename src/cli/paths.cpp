#include "cli/paths.h"

#include <fmt/format.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "kvsplit_build_config.h"

namespace kvsplit::cli {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path llama_folder() {
  const std::string named = environment("KVSPLIT_LLAMA_BIN");
  return named.empty() ? build_config::llama_build_bin_dir : named;
}

std::string script(const std::string& name) {
  return fmt::format("{}/{}", build_config::scripts_dir, name);
}

std::string example_text(const std::string& name) {
  return fmt::format("{}/examples/texts/{}.txt", build_config::source_dir, name);
}

std::string model_file(const std::string& model) {
  // Only the script knows names and places; nothing but a name may get into a command line.
  constexpr const char* of_names = "abcdefghijklmnopqrstuvwxyz0123456789-";
  if (model.find_first_not_of(of_names) != std::string::npos || fs::exists(model)) return model;
  const std::string command = fmt::format("'{}' --path {} 2>&-", script("get-model"), model);
  const std::unique_ptr<FILE, int (*)(FILE*)> output(popen(command.c_str(), "r"), pclose);
  std::string file(PATH_MAX, '\0');
  if (!output || fgets(file.data(), PATH_MAX, output.get()) == nullptr) return model;
  file.resize(file.find('\n'));
  if (!fs::exists(file)) {
    throw Error(fmt::format("{}: not here yet, kvsplit pull {} gets it", file, model));
  }
  return file;
}

}  // namespace kvsplit::cli
