// The line of `--meter`: what it says, where it is shown, and that the terminal is whole after it.
#include "cli/meter.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "support/run_program.h"

namespace kvsplit::cli {
namespace {

using Json = nlohmann::json;

Json tensor(int cells, int bytes, int numbers) {
  return {{"cells", cells}, {"bytes", bytes}, {"numbers", numbers}};
}

TEST(UseLine, IsThePartOfTheCacheThatHoldsTheText) {
  const Json cache = {
      {"precision", "K8V4"},
      {"tensors", {tensor(1024, 1 << 20, 1 << 20), tensor(1024, 1 << 19, 1 << 20)}}};
  EXPECT_EQ(use_line(cache, 512), "K8V4 cache: 0.75 MiB in use, 2.00 MiB as FP16");
  EXPECT_EQ(use_line(cache, 4096),  // several texts: no more than all
            "K8V4 cache: 1.50 MiB in use, 4.00 MiB as FP16");
}

TEST(UseLine, OfWindowsIsWhatTheyHold) {
  const Json cache = {{"precision", "K4V4"},
                      {"tensors", {tensor(4096, 1 << 20, 1 << 20), tensor(512, 1 << 20, 1 << 20)}}};
  EXPECT_EQ(use_line(cache, 1024), "K4V4 cache: 1.25 MiB in use, 2.50 MiB as FP16");
}

std::string run_with_meter(const std::string& model, int n_tokens) {
  return "KVSPLIT_LLAMA_BIN='" + test::environment("KVSPLIT_TEST_BIN") + "' '" +
         test::environment("KVSPLIT_TEST_PROGRAM") +
         "' run --kvq K8V4:sinks=0:window=0 --meter -m '" + model +
         "' -p 'The lighthouse' -c 512 -no-cnv --ignore-eos -n " + std::to_string(n_tokens);
}

double number_before(const std::string& text, const std::string& unit) {
  const std::regex pattern("([0-9.]+) " + unit);
  std::smatch found;
  EXPECT_TRUE(std::regex_search(text, found, pattern)) << text;
  return found.empty() ? 0 : std::stod(found[1]);
}

/// Of the bytes per token that the closing line's cache has, as many as there are tokens.
TEST(Meter, CountsTheTokensOfAProgram) {
  const std::string model = test::demo_model();
  for (const int n_tokens : {20, 200}) {
    const auto ended = test::run_shell(run_with_meter(model, n_tokens));
    ASSERT_EQ(ended.exit_code, 0) << ended.errors;
    const double in_use = number_before(ended.errors, "MiB in use");
    const double all = number_before(ended.errors, "MiB, FP16 would have taken");
    // The prompt has three or four tokens, and the last token is not read any more.
    EXPECT_GE(in_use * 512 / all, n_tokens - 1);
    EXPECT_LE(in_use * 512 / all, n_tokens + 8);
    EXPECT_GT(number_before(ended.errors, "tokens/s"), 0);
  }
}

/// In a terminal of 80 × 24, as `script` makes them.
TEST(Meter, HasTheLastLineOfTheTerminalAndGivesItBack) {
  if (test::run_shell("command -v script").exit_code != 0) GTEST_SKIP() << "script is not there";
  const std::string model = test::demo_model();
  const test::TestFolder folder;
  test::write_file(folder / "command",
                   "stty rows 24 cols 80; " + run_with_meter(model, 100) + "\n");
  const auto ended =
      test::run_shell("script -qec 'sh " + (folder / "command") + "' " + (folder / "typescript"));
  const std::string& seen = ended.output;
  const std::size_t reserved = seen.find("\033[1;23r");
  ASSERT_NE(reserved, std::string::npos) << seen;
  const std::size_t shown = seen.find("\033[24;1H", reserved);
  ASSERT_NE(shown, std::string::npos);
  EXPECT_NE(seen.find(" MiB in use", shown), std::string::npos);
  const std::size_t given_back = seen.rfind("\033[r");
  ASSERT_NE(given_back, std::string::npos);
  EXPECT_GT(given_back, seen.rfind("\033[1;23r"));
}

}  // namespace
}  // namespace kvsplit::cli
