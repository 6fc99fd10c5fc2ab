// Stock llama-perplexity measures what a packed cache costs.
#include <cstdio>
#include <cstdlib>
#include <regex>

#include "tests/programs/stock.h"

namespace kvsplit::programs {
namespace {

/// A short measurement on every run of the tests; KVSPLIT_TEST_FULL=1 takes the long one, whose
/// bounds are the ones that are promised. The demo model's quantised weights make every change of
/// the cache, however small, a change of some 0.1 % on so few tokens.
struct Measurement {
  std::string context, chunks;
  double k8v8_percent, k8v4_percent;
};

Measurement measurement() {
  const char* full = std::getenv("KVSPLIT_TEST_FULL");
  if (full != nullptr && std::string(full) == "1") {
    return {"2048", "8", 0.1, 0.7};
  }
  return {"1024", "3", 0.3, 1.0};
}

std::vector<std::string> arguments_of(const Measurement& measurement,
                                      const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {
      "-m",       demo_model(),       "-f", text_file(), "-c", measurement.context,
      "--chunks", measurement.chunks, "-b", measurement.context, "--no-warmup", "-fa", "on"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

double perplexity_in(const Result& result) {
  std::smatch match;
  const std::string text = result.all();
  if (result.exit_code != 0 ||
      !std::regex_search(text, match, std::regex("Final estimate: PPL = ([0-9.]+)"))) {
    throw std::runtime_error("llama-perplexity gave no estimate: " + text);
  }
  return std::stod(match[1]);
}

double with_plugin(const char* precision, Build build = Build::linked_in) {
  const Plugin plugin(precision);
  Command command = plugin.with(stock(
      build, "llama-perplexity",
      arguments_of(measurement(), {"-dev", "KVSPLIT", "-ngl", "99"})));
  command.limit = std::chrono::seconds(580);
  const Result result = run(command);
  const double perplexity = perplexity_in(result);
  plugin.expect_cache();
  EXPECT_NE(result.all().find(std::string("kvsplit: ") + precision + " cache"), std::string::npos)
      << result.all();
  std::printf("%s: perplexity %.4f\n", precision, perplexity);
  return perplexity;
}

double without_plugin(const char* k_type, const char* v_type) {
  Command command = stock("llama-perplexity",
                          arguments_of(measurement(), {"-ctk", k_type, "-ctv", v_type}));
  command.limit = std::chrono::seconds(580);
  const double perplexity = perplexity_in(run(command));
  std::printf("stock %s/%s: perplexity %.4f\n", k_type, v_type, perplexity);
  return perplexity;
}

double percent_over(double value, double reference) { return 100 * (value / reference - 1); }

TEST(Perplexity, EightBitsCostNothingAndEightAndFourHardlyAnything) {
  const double stock16 = without_plugin("f16", "f16");
  const double fp16 = with_plugin("FP16");
  EXPECT_NEAR(percent_over(fp16, stock16), 0, 0.3);
  EXPECT_NEAR(percent_over(with_plugin("K8V8"), fp16), 0, measurement().k8v8_percent);
  EXPECT_LE(percent_over(with_plugin("K8V4"), fp16), measurement().k8v4_percent);
}

TEST(Perplexity, KeysNeedTheBitsMoreThanValues) {
  const double k8v4 = with_plugin("K8V4");
  EXPECT_GT(percent_over(with_plugin("K4V8"), k8v4), 1);
}

TEST(Perplexity, FourBitsAreNoWorseThanTheHosts) {
  EXPECT_LE(with_plugin("K4V4"), 1.001 * without_plugin("q4_0", "q4_0"));
}

TEST(Perplexity, IsTheSameWhereBackendsAreModules) {
  const double linked_in = with_plugin("K8V4");
  EXPECT_NEAR(percent_over(with_plugin("K8V4", Build::modules), linked_in), 0, 0.01);
}

}  // namespace
}  // namespace kvsplit::programs
