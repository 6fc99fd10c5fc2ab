#include "tests/programs/stock.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/error.h"

namespace kvsplit::programs {
namespace {

namespace fs = std::filesystem;

fs::path existing(const char* variable, const char* remedy) {
  const char* value = std::getenv(variable);
  if (value == nullptr || !fs::exists(value)) {
    throw Error(std::string(variable) + ": expected an existing path, found '" +
                (value == nullptr ? "" : value) + "'; " + remedy);
  }
  return value;
}

/// Programs that load their backends look for them beside themselves.
const fs::path& folder_with_modules() {
  static const TemporaryFolder folder;
  static const bool filled = [] {
    const fs::path modules = existing("KVSPLIT_TEST_MODULES", "run the tests by `make test`");
    for (const fs::path& from : {modules, stock_folder()}) {
      for (const fs::directory_entry& entry : fs::directory_iterator(from)) {
        const fs::path target = folder.path() / entry.path().filename();
        const bool is_program = entry.path().filename().string().starts_with("llama-");
        if (is_program) {
          fs::copy_file(entry.path(), target);
        } else if (!fs::exists(target) && entry.path().string().find(".so") != std::string::npos) {
          fs::create_symlink(entry.path(), target);
        }
      }
    }
    return true;
  }();
  (void)filled;
  return folder.path();
}

double share_of_fp16(const nlohmann::json& cache) {
  const double bytes = cache.at("k_bytes").get<double>() + cache.at("v_bytes").get<double>();
  return bytes / cache.at("fp16_bytes").get<double>();
}

}  // namespace

fs::path stock_folder() { return existing("KVSPLIT_TEST_BIN", "run the tests by `make test`"); }

std::string llama_source() {
  return existing("KVSPLIT_TEST_LLAMA_SOURCE", "run the tests by `make test`").string();
}

Environment own_build() {
  const fs::path program = existing("KVSPLIT_TEST_PROGRAM", "build it first");
  return {{"KVSPLIT_PROGRAM", program.string()}, {"KVSPLIT_LLAMA_BIN", stock_folder().string()}};
}

Command stock(Build build, std::string_view program, std::vector<std::string> arguments) {
  const bool modules = build == Build::modules;
  const fs::path folder = modules ? folder_with_modules() : stock_folder();
  const fs::path file = folder / program;
  if (!fs::exists(file)) {
    throw Error(file.string() + ": no such program; `make tools` builds it");
  }
  arguments.insert(arguments.begin(), file.string());
  Command command{.arguments = std::move(arguments), .environment = {}};
  if (modules) {
    command.environment["LD_LIBRARY_PATH"] = folder.string();
  }
  return command;
}

Command stock(std::string_view program, std::vector<std::string> arguments) {
  return stock(Build::linked_in, program, std::move(arguments));
}

std::string our_lines(const std::string& log) {
  std::string ours;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("kvsplit:") != std::string::npos) {
      ours += line + '\n';
    }
  }
  return ours;
}

std::string demo_model() {
  return existing("KVSPLIT_TEST_MODEL", "`kvsplit pull` gets the demo model").string();
}

std::string plugin_file() { return existing("KVSPLIT_TEST_PLUGIN", "build it first").string(); }

std::string text_file() {
  const fs::path source = KVSPLIT_SOURCE_DIR;
  const fs::path wikitext = source.parent_path() / "shared/data/wikitext2-test-part1.txt";
  if (fs::exists(wikitext)) {
    return wikitext.string();
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(source / "examples/texts")) {
    if (entry.path().extension() == ".txt") {
      return entry.path().string();
    }
  }
  throw Error("examples/texts: no text to measure on");
}

Command Plugin::with(Command command) const {
  command.environment["GGML_BACKEND_PATH"] = plugin_file();
  command.environment["KVSPLIT_REPORT"] = folder_.path() / "report";
  if (!precision_.empty()) {
    command.environment["KVSPLIT"] = precision_;
  }
  return command;
}

std::vector<nlohmann::json> Plugin::events(std::string_view kind) const {
  std::vector<nlohmann::json> events;
  std::ifstream report(folder_.path() / "report");
  for (std::string line; std::getline(report, line);) {
    nlohmann::json event = nlohmann::json::parse(line);
    if (event.at("event") == kind) {
      events.push_back(std::move(event));
    }
  }
  return events;
}

void Plugin::expect_cache() const {
  const std::vector<nlohmann::json> caches = events("cache");
  EXPECT_FALSE(caches.empty()) << "the plugin made no cache";
  for (const nlohmann::json& cache : caches) {
    EXPECT_EQ(cache.at("precision"), precision_);
    EXPECT_GT(cache.at("packed"), 0);
    EXPECT_LE(share_of_fp16(cache), precision_ == "K8V4" ? 0.55 : 1.0);
  }
}

}  // namespace kvsplit::programs
