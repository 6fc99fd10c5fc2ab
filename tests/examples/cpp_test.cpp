// examples/cpp, built as its README says, outside of our own build.
#include "tests/programs/stock.h"

namespace kvsplit::programs {
namespace {

Result cmake(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "cmake");
  return run({.arguments = std::move(arguments), .environment = {}});
}

TEST(Cpp, TheExampleIsBuiltAndContinuesAText) {
  const TemporaryFolder build;
  const Result configured =
      cmake({"-S", KVSPLIT_SOURCE_DIR "/examples/cpp", "-B", build.path(),
             "-DLLAMA_SOURCE=" + llama_source(),
             "-DLLAMA_BUILD=" + std::filesystem::path(stock_folder()).parent_path().string()});
  ASSERT_EQ(configured.exit_code, 0) << configured.all();
  const Result built = cmake({"--build", build.path()});
  ASSERT_EQ(built.exit_code, 0) << built.all();

  const Plugin plugin("K8V4");
  Command command = plugin.with({.arguments = {build.path() / "generate", plugin_file(),
                                               demo_model(), "Count: 1, 2, 3, 4, 5, 6, 7, 8,"},
                                 .environment = {}});
  command.environment["GGML_BACKEND_PATH"] = "";  // the example loads the plugin itself
  const Result result = run(command);
  ASSERT_EQ(result.exit_code, 0) << result.all();
  EXPECT_NE(result.output.find("7, 8, 9, 10, 11, 12,"), std::string::npos) << result.all();
  plugin.expect_cache();
}

}  // namespace
}  // namespace kvsplit::programs
