#include "measure/comparison.h"

#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "host/backend.h"
#include "host/process.h"
#include "support/run_program.h"

namespace kvsplit::measure {
namespace {

constexpr const char* text_file = KVSPLIT_SOURCE_DIR "/examples/texts/lighthouse.txt";

/// Stock llama.cpp in this process, the demo model on the plain CPU.
class StockQuality : public testing::Test {
 protected:
  void SetUp() override {
    host::start();
    model_ = std::make_unique<host::Model>(test::demo_model(), "CPU");
    std::string text = test::contents(text_file);
    if (text.back() == '\n') text.pop_back();
    tokens_ = model_->tokenize(text);
  }

  std::vector<CacheRecord> compare(const std::vector<std::string>& types, int window,
                                   int n_windows) {
    std::vector<host::CacheChoice> caches;
    for (const std::string& type : types) caches.push_back(host::parse_stock_cache(type));
    ComparisonCall call;
    call.stock = model_.get();
    call.caches = caches;
    call.tokens = tokens_;
    call.window = window;
    call.n_windows = n_windows;
    call.n_threads = host::default_threads();
    return compare_caches(call);
  }

  std::unique_ptr<host::Model> model_;
  std::vector<host::Token> tokens_;
};

TEST_F(StockQuality, PerplexityIsThatOfLlamaPerplexity) {
  const std::string command = test::environment("KVSPLIT_TEST_BIN") + "/llama-perplexity -m '" +
                              test::demo_model() + "' -f '" + text_file +
                              "' -c 256 --chunks 2 -fa on -dev none";
  const test::ProgramResult stock = test::run_shell(command);
  ASSERT_EQ(stock.exit_code, 0) << stock.errors;
  const std::string all = stock.output + stock.errors;
  std::smatch match;
  ASSERT_TRUE(std::regex_search(all, match, std::regex("PPL = ([0-9.]+)"))) << all;
  const double expected = std::stod(match[1]);

  const CacheRecord ours = compare({"f16/f16"}, 256, 2)[0];
  // Batches of 16, not of 512: llama.cpp's products with quantised weights differ a little.
  EXPECT_NEAR(*ours.ppl / expected, 1.0, 0.006) << "ours " << *ours.ppl << " stock " << expected;
  EXPECT_EQ(*ours.scored_tokens, 2 * 127);
}

TEST_F(StockQuality, TheSameCacheTwiceDivergesByNothing) {
  const auto records = compare({"f16/f16", "f16/f16"}, 128, 1);
  EXPECT_NEAR(*records[1].kl_mean, 0, 1e-9);
  EXPECT_EQ(*records[1].ppl, *records[0].ppl);
  EXPECT_EQ(*records[1].same_top_percent, 100);
}

TEST_F(StockQuality, FewerBitsDivergeMore) {
  const auto records = compare({"f16/f16", "q8_0/q8_0", "q4_0/q4_0"}, 256, 1);
  EXPECT_EQ(*records[0].kl_mean, 0);
  EXPECT_GT(*records[1].kl_mean, 0);
  EXPECT_GT(*records[2].kl_mean, 2 * *records[1].kl_mean);
  EXPECT_LT(*records[2].same_top_percent, *records[1].same_top_percent);
  EXPECT_GT(*records[2].kl_stderr, 0);
}

}  // namespace
}  // namespace kvsplit::measure
