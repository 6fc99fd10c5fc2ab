#include "cli/plugin_report.h"

#include <gtest/gtest.h>

#include "support/run_program.h"

namespace kvsplit::cli {
namespace {

std::string line_for(const std::string& events) {
  const test::TestFolder folder;
  test::write_file(folder / "report", events);
  return closing_line(folder / "report", "llama-x");
}

const std::string loaded = R"({"event":"loaded","version":"0.1.0","ggml":"0.25.3"})"
                           "\n";

TEST(ClosingLine, TellsTheMemoryOfTheCache) {
  EXPECT_EQ(line_for(loaded + R"({"event":"cache","precision":"K8V4","k_bytes":12533760,)"
                              R"("v_bytes":6635520,"fp16_bytes":47185920,"packed":60,"unpacked":0})"
                              "\n"),
            "K8V4 cache of 18.28 MiB, FP16 would have taken 45.00 MiB (2.5 times as much)");
}

TEST(ClosingLine, OfSeveralCachesTellsTheLargest) {
  const std::string small = R"({"event":"cache","precision":"K8V4","k_bytes":1048576,"v_bytes":0,)"
                            R"("fp16_bytes":2097152,"unpacked":0})"
                            "\n";
  const std::string large = R"({"event":"cache","precision":"K4V4","k_bytes":2097152,"v_bytes":0,)"
                            R"("fp16_bytes":8388608,"unpacked":2})"
                            "\n";
  EXPECT_EQ(line_for(loaded + small + large + small),
            "K4V4 cache of 2.00 MiB, FP16 would have taken 8.00 MiB (4.0 times as much), 2 tensors "
            "left in 16 bits; the largest of 3 caches");
}

TEST(ClosingLine, GivesTheReasonWhereThePluginRefused) {
  EXPECT_EQ(line_for(R"({"event":"refused","reason":"ggml 0.26.0, made for 0.25.3"})"
                     "\n"),
            "llama-x ran without the plugin: ggml 0.26.0, made for 0.25.3");
}

TEST(ClosingLine, NamesAProgramThatLoadedNothing) {
  EXPECT_EQ(line_for("").rfind("llama-x did not load the plugin", 0), 0U);
  EXPECT_EQ(line_for(loaded).rfind("llama-x loaded the plugin but made no cache", 0), 0U);
}

TEST(ClosingLine, SurvivesHalfALine) {
  EXPECT_EQ(line_for(loaded + R"({"event":"cache","prec)").rfind("llama-x loaded", 0), 0U);
}

}  // namespace
}  // namespace kvsplit::cli
