// kvsplit bench on models of a few kilobytes: what it measures, prints and writes.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/run_program.h"

namespace kvsplit {
namespace {

using Json = nlohmann::json;
using test::TestFolder;

test::ProgramResult bench(const std::string& model, const std::string& arguments) {
  return test::run_shell("'" + test::environment("KVSPLIT_TEST_PROGRAM") + "' bench -m '" +
                         KVSPLIT_SOURCE_DIR "/tests/data/models/" + model + ".gguf' -t 1 " +
                         arguments);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Bench, MeasuresEveryCacheAtEveryDepth) {
  const TestFolder folder;
  const std::string file = folder / "out.json";
  const test::ProgramResult result =
      bench("llama", "-p 16 -n 4 -d 64,0 -r 2 --kvq K8V4 --stock q8_0 -o '" + file + "'");
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.errors, "") << "progress is for terminals";
  EXPECT_TRUE(contains(result.output, "llama.gguf on ")) << result.output;
  EXPECT_TRUE(contains(result.output, "× f16/f16")) << result.output;

  const Json records = Json::parse(test::contents(file));
  ASSERT_EQ(records.size(), 6U);
  const std::vector<std::string> caches = {"f16/f16", "q8_0/q8_0", "K8V4"};
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Json& record = records[i];
    EXPECT_EQ(record["cache"], caches[i % 3]);
    EXPECT_EQ(record["depth"], i < 3 ? 0 : 64);
    EXPECT_EQ(record["prompt_tokens"], 16);
    EXPECT_EQ(record["decode_tokens"], 4);
    EXPECT_EQ(record["speed_rounds"], 2);
    EXPECT_EQ(record["threads"], 1);
    EXPECT_GT(record["prompt_tps_min"], 0);
    EXPECT_LE(record["prompt_tps_min"], record["prompt_tps"]);
    EXPECT_LE(record["decode_tps"], record["decode_tps_max"]);
    EXPECT_GT(record["decode_ratio"], 0);
    EXPECT_TRUE(record["ppl"].is_null());
  }
  EXPECT_EQ(records[3]["prompt_ratio"], 1) << "the baseline of each depth";
}

TEST(Bench, WritesWhatTheScreenShows) {
  const TestFolder folder;
  const std::string file = folder / "out.md";
  const test::ProgramResult result =
      bench("llama", "-p 0 -n 2 -d 0 -r 1 --kvq-key 8 --kvq-val 4 --stock none -o '" + file + "'");
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(test::contents(file), result.output);
  EXPECT_TRUE(contains(result.output, "× K8V4")) << "the first cache is the baseline";
  EXPECT_FALSE(contains(result.output, "prompt t/s")) << result.output;
  EXPECT_FALSE(contains(result.output, "stock")) << result.output;
}

/// Models that cannot forget their last tokens are filled again for each measurement.
TEST(Bench, GoesBackToItsDepthOnEveryKindOfMemory) {
  for (const char* model : {"gemma3", "lfm2"}) {
    const test::ProgramResult result =
        bench(model, "-p 700 -n 2 -d 600 -r 2 --kvq K8V4 --stock f16");
    EXPECT_EQ(result.exit_code, 0) << model << ": " << result.errors;
    EXPECT_TRUE(contains(result.output, "|   600 | K8V4    | kvsplit |")) << result.output;
  }
}

}  // namespace
}  // namespace kvsplit
