#include "cli/paths.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <llama.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "base/system.h"
#include "kvsplit_build_config.h"

namespace kvsplit::cli {

namespace fs = std::filesystem;

namespace {

/// A file or folder of an installed tree, found from the libllama that runs: the tree may have been
/// moved. Where there is none, what stands for it in the build.
fs::path place(const std::string& installed, const fs::path& built) {
  Dl_info llama = {};
  dladdr(reinterpret_cast<void*>(llama_backend_init), &llama);
  const fs::path library = fs::canonical(llama.dli_fname);  // PREFIX/lib/kvsplit/libllama…
  const fs::path path = library.parent_path().parent_path().parent_path() / installed;
  return fs::exists(path) ? path : built;
}

}  // namespace

fs::path llama_folder() {
  const std::string named = environment("KVSPLIT_LLAMA_BIN");
  return named.empty() ? place("lib/kvsplit", build_config::llama_build_bin_dir) : fs::path(named);
}

std::string plugin_file() { return place("lib/kvsplit/libggml-kvsplit.so", build_config::plugin); }

std::string shipped(const std::string& name) {
  return place("share/kvsplit/" + name, fs::path(build_config::source_dir) / name);
}

std::string model_file(const std::string& model) {
  // Only the script knows names and places; nothing but a name may get into a command line.
  constexpr const char* of_names = "abcdefghijklmnopqrstuvwxyz0123456789-";
  if (model.find_first_not_of(of_names) != std::string::npos || fs::exists(model)) return model;
  const std::string call = fmt::format("'{}' --path {} 2>&-", shipped("scripts/get-model"), model);
  const std::unique_ptr<FILE, int (*)(FILE*)> output(popen(call.c_str(), "r"), pclose);
  std::string file(PATH_MAX, '\0');
  if (!output || fgets(file.data(), PATH_MAX, output.get()) == nullptr) return model;
  file.resize(file.find('\n'));
  if (fs::exists(file)) return file;
  throw Error(fmt::format("{}: not here yet, kvsplit pull {} gets it", file, model));
}

TemporaryFolder::TemporaryFolder(const fs::path& place) : path_(place / "kvsplit-XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) throw Error(path_ + ": cannot be made");
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace kvsplit::cli
