// Stock llama-perplexity measures what a packed cache costs.
#include <cstdio>
#include <cstdlib>
#include <future>
#include <regex>

#include "tests/programs/stock.h"

namespace kvsplit::programs {
namespace {

/// How much is measured, and by how much, in percent, perplexities may differ.
struct Measurement {
  std::string context, chunks;
  double fp16, k8v8, k8v4, k4v4;
};

/// A short one on every run of the tests; KVSPLIT_TEST_FULL=1 takes the long one with the promised
/// bounds. On the demo model's quantised weights any change of the cache, however small, changes
/// what activations round to: a KL of 0.004, so log-probabilities spread by √(2 · 0.004) = 9 %, and
/// their mean over the 1,024 scored tokens of the short one by 0.28 %. Its bounds are the promised
/// ones and three times that; four bits, at a KL of 0.05 themselves, spread by 1 %, of which it
/// allows two, and by 0.35 % over the 8,192 of the long one, of which it allows one: no worse than
/// the host's is what can be told apart from worse.
Measurement measurement() {
  const char* full = std::getenv("KVSPLIT_TEST_FULL");
  if (full != nullptr && std::string(full) == "1") {
    return {"2048", "8", 0.3, 0.1, 0.7, 0.35};
  }
  return {"1024", "2", 0.3 + 0.84, 0.1 + 0.84, 0.7 + 0.84, 2};
}

/// With one thread, as several are measured at once: threads that wait for each other by spinning
/// stand in the way of other programs.
Command measure(Build build, const Measurement& size, const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {
      "-m", demo_model(), "-f", text_file(), "-c",          size.context, "--chunks", size.chunks,
      "-b", size.context, "-t", "1",         "--no-warmup", "-fa",        "on"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  Command command = stock(build, "llama-perplexity", arguments);
  command.limit = std::chrono::minutes(10);
  return command;
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

double with_plugin(const char* precision, const Measurement& size = measurement(),
                   Build build = Build::linked_in) {
  const Plugin plugin(precision);
  const std::vector<std::string> more = {"-dev", "KVSPLIT", "-ngl", "99", "-lv", "4"};
  const Result result = run(plugin.with(measure(build, size, more)));
  const double perplexity = perplexity_in(result);
  plugin.expect_cache();
  EXPECT_NE(result.log.find(std::string("kvsplit: ") + precision + " cache"), std::string::npos);
  std::printf("%s: perplexity %.4f\n", precision, perplexity);
  return perplexity;
}

double without_plugin(const char* k_type, const char* v_type) {
  const std::vector<std::string> more = {"-dev", "none", "-ctk", k_type, "-ctv", v_type};
  const double perplexity = perplexity_in(run(measure(Build::linked_in, measurement(), more)));
  std::printf("stock %s/%s: perplexity %.4f\n", k_type, v_type, perplexity);
  return perplexity;
}

double percent_over(double value, double reference) { return 100 * (value / reference - 1); }

/// The perplexity of a precision, being measured beside others.
std::future<double> measuring(const char* precision) {
  return std::async(std::launch::async, [precision] { return with_plugin(precision); });
}

TEST(Perplexity, EightBitsCostNothingAndEightAndFourHardlyAnything) {
  auto stock = std::async(std::launch::async, [] { return without_plugin("f16", "f16"); });
  auto fp16 = measuring("FP16");
  auto k8v8 = measuring("K8V8");
  auto k8v4 = measuring("K8V4");
  auto packed_k8v4 = measuring("K8V4:sinks=0:window=0");
  auto packed_k4v8 = measuring("K4V8:sinks=0:window=0");
  const double reference = fp16.get();
  const double eight_and_four = k8v4.get();
  EXPECT_NEAR(percent_over(reference, stock.get()), 0, measurement().fp16);
  EXPECT_NEAR(percent_over(k8v8.get(), reference), 0, measurement().k8v8);
  EXPECT_LE(percent_over(eight_and_four, reference), measurement().k8v4);
  // With exact rows the difference is less than this text can show: measure/quality_test.cpp.
  EXPECT_GE(percent_over(packed_k4v8.get(), packed_k8v4.get()), 1)
      << "keys need the bits more than values";
}

TEST(Perplexity, FourBitsAreNoWorseThanTheHosts) {
  auto stock = std::async(std::launch::async, [] { return without_plugin("q4_0", "q4_0"); });
  auto ours = measuring("K4V4");
  EXPECT_LE(percent_over(ours.get(), stock.get()), measurement().k4v4);
}

// Two builds of ggml's own kernels round differently, which quantised weights amplify: stock
// programs differ by some tenths of a percent between them as well, and on a short text by more.
TEST(Perplexity, IsAlikeWhereBackendsAreModules) {
  const Measurement tiny = {"512", "1", 0, 0, 0, 0};
  const double linked = with_plugin("K8V4", tiny);
  EXPECT_NEAR(percent_over(with_plugin("K8V4", tiny, Build::modules), linked), 0, 1.5);
}

}  // namespace
}  // namespace kvsplit::programs
