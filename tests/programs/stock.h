#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/programs/process.h"

namespace kvsplit::programs {

/// The two ways in which llama.cpp's programs are built.
enum class Build {
  linked_in,  ///< backends are part of libggml
  modules,    ///< backends are loaded from files beside the program, as distributions ship them
};

inline std::ostream& operator<<(std::ostream& out, Build build) {
  return out << (build == Build::linked_in ? "LinkedIn" : "Modules");
}

inline std::string build_name(const testing::TestParamInfo<Build>& info) {
  return testing::PrintToString(info.param);
}

/// A stock program of llama.cpp. With Build::modules it is a copy in a folder beside the modules,
/// made once for the process, as a distribution would have it. Error: there is none.
Command stock(Build build, std::string_view program, std::vector<std::string> arguments);
Command stock(std::string_view program, std::vector<std::string> arguments);

/// The lines of a log that are ours.
std::string our_lines(const std::string& log);

std::filesystem::path stock_folder();  ///< of llama.cpp's programs. Error: it is not there
std::string llama_source();            ///< the source tree that they were built from
Environment own_build();  ///< tells scripts of ours which kvsplit and llama.cpp to take

std::string demo_model();   ///< Error: $KVSPLIT_TEST_MODEL is missing, and how to get it
std::string plugin_file();  ///< Error: $KVSPLIT_TEST_PLUGIN is missing
std::string text_file();    ///< WikiText-2 where it lies beside the repository, else our own text

/// One run of a program with the plugin: what it tells about itself in $KVSPLIT_REPORT.
class Plugin {
 public:
  /// precision: $KVSPLIT; empty = not set.
  explicit Plugin(std::string precision) : precision_(std::move(precision)) {}

  Command with(Command command) const;
  /// The report's events of one kind, in order.
  std::vector<nlohmann::json> events(std::string_view kind) const;
  /// Proves that the plugin ran: fails the test where no cache of this precision was made.
  void expect_cache() const;

 private:
  std::string precision_;
  TemporaryFolder folder_;
};

}  // namespace kvsplit::programs
