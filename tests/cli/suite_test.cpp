// kvsplit bench --suite: cells are saved as they come, and what is there is not measured again.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "support/run_program.h"

namespace kvsplit {
namespace {

using Json = nlohmann::json;
using test::TestFolder;

std::string suite_command(const std::string& file, const std::string& more) {
  return "'" + test::environment("KVSPLIT_TEST_PROGRAM") + "' bench --suite -t 1 -r 1 -o '" + file +
         "' " + more;
}

std::set<std::string> cells(const std::string& file) {
  std::set<std::string> found;
  for (const Json& record : Json::parse(test::contents(file))) {
    found.insert(record["cache"].get<std::string>() + " " + record["context"].dump());
  }
  return found;
}

TEST(Suite, MeasuresMemorySpeedAndQualityOfEveryCell) {
  const TestFolder folder;
  const std::string file = folder / "suite.json";
  const auto result = test::run_shell(
      suite_command(file, "--seq-len 64 --config K8V4 --stock q8_0/q4_0 --chunks 2"));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const std::set<std::string> expected = {"FP16 64", "K8V4 64", "q8_0/q4_0 64"};
  EXPECT_EQ(cells(file), expected);
  for (const Json& record : Json::parse(test::contents(file))) {
    for (const char* const key : {"kv_bytes", "ppl", "kl_mean", "same_top_percent", "prompt_tps",
                                  "decode_tps", "peak_rss_bytes"}) {
      EXPECT_TRUE(record[key].is_number()) << record["cache"] << " " << key;
    }
    EXPECT_EQ(record["kv_context"], record["context"]);
    EXPECT_EQ(record["kl_mean"] == 0, record["cache"] == "FP16");
  }
  const std::string table = test::contents(folder / "suite.csv");
  EXPECT_EQ(std::ranges::count(table, '\n'), 4);
}

TEST(Suite, KilledAtAnyTimeItLosesNoFinishedCell) {
  const TestFolder folder;
  const std::string file = folder / "suite.json";
  const std::string command =
      suite_command(file, "--seq-len 64,128 --kvq K8V4 --stock none --chunks 1");
  const auto killed = test::run_shell("timeout -s KILL 3 " + command);
  const std::string before = test::contents(file);
  const auto whole = test::run_shell(command);
  ASSERT_EQ(whole.exit_code, 0) << whole.errors;
  EXPECT_EQ(cells(file).size(), 4U);
  if (!before.empty()) {
    const Json kept = Json::parse(before);  // whole at any moment
    const Json all = Json::parse(test::contents(file));
    for (std::size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(all[i], kept[i]) << "measured again";
  }
  const std::string after = test::contents(file);
  const auto again = test::run_shell(command);
  EXPECT_EQ(again.exit_code, 0) << again.errors;
  EXPECT_EQ(test::contents(file), after) << "measured again";
}

TEST(Suite, RefusesWhatItCannotGoOnFrom) {
  const TestFolder folder;
  const std::string file = folder / "suite.json";
  const auto refused = [&](const std::string& content, const std::string& reason) {
    test::write_file(file, content);
    const auto result = test::run_shell(suite_command(file, "--seq-len 64"));
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_NE(result.errors.find(reason), std::string::npos) << result.errors;
    EXPECT_EQ(test::contents(file), content) << "what was there is lost";
  };
  refused("[{\"cache\": \"K8V", "damaged");
  refused("{}", "expected a list of records; move it away to begin anew");
  refused("[{\"cache\": \"K8V4\"}]", "record 1: no key \"engine\"; move it away");
  const auto wrong = test::run_shell(suite_command(folder / "suite.csv", ""));
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.errors.find("goes on from a .json file"), std::string::npos) << wrong.errors;
}

}  // namespace
}  // namespace kvsplit
