// llama-completion, llama-cli and llama-bench as a user starts them, in both kinds of build.
#include <algorithm>

#include "tests/programs/stock.h"

namespace kvsplit::programs {
namespace {

class Tools : public testing::TestWithParam<Build> {};

INSTANTIATE_TEST_SUITE_P(Builds, Tools, testing::Values(Build::linked_in, Build::modules),
                         build_name);

std::vector<std::string> joined(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const std::vector<std::string> on_kvsplit = {"-dev", "KVSPLIT", "-ngl", "99", "-fa", "on"};

TEST_P(Tools, CompletionSaysWhatItSaysWithoutThePlugin) {
  // A prompt that leaves no doubt about what comes next.
  const std::vector<std::string> arguments = {
      "-m",      demo_model(), "-p",     "Count: 1, 2, 3, 4, 5, 6, 7, 8,",
      "-n",      "12",         "--temp", "0",
      "-no-cnv", "-c",         "512",    "--no-warmup"};
  const Result plain = run(stock(GetParam(), "llama-completion", arguments));
  ASSERT_EQ(plain.exit_code, 0) << plain.log;

  for (const char* precision : {"FP16", "K8V4"}) {
    const Plugin plugin(precision);
    const Result result =
        run(plugin.with(stock(GetParam(), "llama-completion", joined(arguments, on_kvsplit))));
    ASSERT_EQ(result.exit_code, 0) << result.log;
    EXPECT_EQ(result.output, plain.output) << precision;
    EXPECT_NE(result.output.find(" 9, 10"), std::string::npos) << result.output;
    plugin.expect_cache();
  }
}

TEST_P(Tools, CliAnswers) {
  const Plugin plugin("K8V4");
  const Result result = run(plugin.with(
      stock(GetParam(), "llama-cli",
            joined({"-m", demo_model(), "-p", "Count from one to ten.", "-n", "16", "--temp", "0",
                    "-c", "512", "--single-turn", "--simple-io", "--no-warmup"},
                   on_kvsplit))));
  ASSERT_EQ(result.exit_code, 0) << result.all();
  EXPECT_NE(result.output.find("Generation:"), std::string::npos) << result.all();
  plugin.expect_cache();
}

TEST_P(Tools, BenchMeasuresOurDevice) {
  const Plugin plugin("K8V4");
  const Result result =
      run(plugin.with(stock(GetParam(), "llama-bench",
                            {"-m", demo_model(), "-dev", "KVSPLIT", "-ngl", "99", "-fa", "on", "-p",
                             "64", "-n", "4", "-r", "1", "-o", "json"})));
  ASSERT_EQ(result.exit_code, 0) << result.all();
  const nlohmann::json rows = nlohmann::json::parse(result.output);
  ASSERT_EQ(rows.size(), 2U) << result.output;
  for (const nlohmann::json& row : rows) {
    EXPECT_EQ(row.at("devices"), "KVSPLIT");
    EXPECT_GT(row.at("avg_ts"), 0);
  }
  plugin.expect_cache();
}

/// Quantised cache types name the bits where KVSPLIT does not.
TEST(Settings, CacheTypesNameTheBits) {
  const Plugin plugin("");
  const Result result = run(
      plugin.with(stock("llama-bench", {"-m", demo_model(), "-dev", "KVSPLIT", "-ngl", "99",  "-fa",
                                        "on", "-ctk",       "q5_1", "-ctv",    "q4_0", "-p",  "8",
                                        "-n", "0",          "-r",   "1",       "-o",   "json"})));
  ASSERT_EQ(result.exit_code, 0) << result.all();
  const std::vector<nlohmann::json> caches = plugin.events("cache");
  ASSERT_FALSE(caches.empty());
  EXPECT_EQ(caches.front().at("precision"), "K5V4:sinks=0:window=0");
}

/// Where the host would compute attention from plain tensors, packed bytes must not be taken for
/// numbers: the call fails and says what to do.
TEST(Settings, WithoutFlashAttentionTheCallFailsWithAReason) {
  const Plugin plugin("K8V4");
  const Result result = run(plugin.with(
      stock("llama-bench", {"-m", demo_model(), "-dev", "KVSPLIT", "-ngl", "99", "-fa", "off", "-v",
                            "-p", "8", "-n", "0", "-r", "1", "-o", "json"})));
  EXPECT_NE(result.exit_code, 0);
  EXPECT_NE(our_lines(result.log).find("-fa on"), std::string::npos) << our_lines(result.log);
}

TEST(Settings, AWrongPrecisionIsNamedAndTheProgramGoesOnWithoutUs) {
  const Plugin plugin("K9V4");
  const Result result = run(plugin.with(stock(
      "llama-bench", {"-m", demo_model(), "-v", "-p", "8", "-n", "0", "-r", "1", "-o", "json"})));
  EXPECT_EQ(result.exit_code, 0) << result.all();
  EXPECT_NE(our_lines(result.log).find("K9V4"), std::string::npos) << our_lines(result.log);
  EXPECT_TRUE(plugin.events("cache").empty());
  EXPECT_EQ(plugin.events("refused").size(), 1U);
}

}  // namespace
}  // namespace kvsplit::programs
