// A host of another version goes on without us and says why.
#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "tests/programs/stock.h"

namespace kvsplit::programs {
namespace {

constexpr char other_version[] = "0.99.7";

/// A library that says another version in libggml's place.
std::string impostor(const TemporaryFolder& folder) {
  const std::string source = folder.path() / "impostor.c";
  std::string library = folder.path() / "impostor.so";
  std::ofstream(source) << "const char* ggml_version(void) { return \"" << other_version
                        << "\"; }\n";
  const char* compiler = std::getenv("CC");
  const Result result = run({.arguments = {compiler != nullptr ? compiler : "cc", "-shared",
                                           "-fPIC", "-o", library, source},
                             .environment = {}});
  EXPECT_EQ(result.exit_code, 0) << result.log;
  return library;
}

class HostVersion : public testing::TestWithParam<Build> {
 protected:
  static Command bench(const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"-m", demo_model(), "-p", "8",    "-n", "0",
                                          "-r", "1",          "-o", "json", "-v"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return stock(GetParam(), "llama-bench", arguments);
  }
};

INSTANTIATE_TEST_SUITE_P(Builds, HostVersion, testing::Values(Build::linked_in, Build::modules),
                         build_name);

TEST_P(HostVersion, AnotherOneIsNamedAndGoesOnWithoutUs) {
  const TemporaryFolder folder;
  const Plugin plugin("K8V4");
  Command command = plugin.with(bench({}));
  command.environment["LD_PRELOAD"] = impostor(folder);
  const Result result = run(command);
  ASSERT_EQ(result.exit_code, 0) << result.all();
  EXPECT_EQ(nlohmann::json::parse(result.output).size(), 1U);
  EXPECT_TRUE(plugin.events("cache").empty());

  // One line, with both versions and what to do.
  const std::string line = our_lines(result.log);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
  EXPECT_NE(line.find(other_version), std::string::npos) << line;
  EXPECT_NE(line.find("0.25."), std::string::npos) << line;
  EXPECT_NE(line.find("KVSPLIT_LLAMA_SOURCE"), std::string::npos) << line;
}

/// The comparison can fail: without the impostor the same command finds the device.
TEST_P(HostVersion, TheRightOneHasTheDevice) {
  const Plugin plugin("K8V4");
  const Result result = run(plugin.with(bench({"-dev", "KVSPLIT", "-ngl", "99", "-fa", "on"})));
  ASSERT_EQ(result.exit_code, 0) << result.all();
  plugin.expect_cache();
}

}  // namespace
}  // namespace kvsplit::programs
