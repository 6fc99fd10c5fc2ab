#include <gtest/gtest.h>
#include <llama.h>

#include <algorithm>
#include <cmath>

#include "host/backend.h"
#include "measure/speed.h"
#include "support/run_program.h"

namespace kvsplit::measure {
namespace {

// SmolLM2-135M: 30 layers, 3 heads of 64 numbers for keys and as many for values.
constexpr std::size_t numbers_per_token = 30 * 3 * 64;

class Sizes : public testing::Test {
 protected:
  void SetUp() override {
    host::start();
    model_ = std::make_unique<host::Model>(test::demo_model(), "KVSPLIT");
  }
  std::unique_ptr<host::Model> model_;
};

TEST_F(Sizes, CountEveryNumberOfTheCache) {
  const std::vector<host::CacheChoice> caches = {host::kvsplit_cache({16, 16}),
                                                 host::kvsplit_cache({.sinks = 0, .window = 0})};
  const auto sizes = measure_sizes(*model_, 1024, caches);
  for (const host::CacheSize& size : sizes) {
    EXPECT_EQ(size.k_numbers, numbers_per_token * 1024);
    EXPECT_EQ(size.v_numbers, numbers_per_token * 1024);
    EXPECT_EQ(size.n_unpacked, 0U);
  }
  EXPECT_EQ(sizes[0].bytes(), 2 * 2 * numbers_per_token * 1024);
  EXPECT_LE(sizes[1].bytes() * 32, sizes[0].bytes() * 13);
}

/// Adds to `sum` the number of a line like "llama_kv_cache: CPU KV buffer size =    45.00 MiB".
void add_logged_size(ggml_log_level /*level*/, const char* text, void* sum) {
  const std::string line = text;
  const std::string label = "KV buffer size =";
  const std::size_t at = line.find(label);
  if (at != std::string::npos)
    *static_cast<double*>(sum) += std::stod(line.substr(at + label.size()));
}

TEST_F(Sizes, OfStockTypesAreWhatLlamaCppAllocates) {
  const host::Model stock(test::demo_model(), "CPU");
  for (const char* types : {"f16/f16", "q8_0/q4_0", "q5_1/iq4_nl"}) {
    const std::vector<host::CacheChoice> caches = {host::parse_stock_cache(types)};
    const host::CacheSize size = measure_sizes(*model_, 2048, caches)[0];
    host::ContextOptions options;
    options.cache = caches[0];
    options.n_context = 2048;
    double logged_mib = 0;
    llama_log_set(add_logged_size, &logged_mib);
    const host::Context context(stock, options);
    host::start();  // whose log is our own again
    EXPECT_NEAR(static_cast<double>(size.bytes()) / (1 << 20), logged_mib, 0.005) << types;
  }
}

TEST(Speed, IsMeasuredAtItsDepth) {
  host::start();
  const host::Model model(test::demo_model(), "CPU");
  SpeedCall call;
  const std::vector<host::Token> tokens = model.tokenize("The lamp burned steadily all night.");
  call.tokens = tokens;
  call.depth = 300;
  call.prompt_tokens = 128;
  call.decode_tokens = 4;
  call.rounds = 2;
  std::vector<double> progress;
  call.progress = [&](const std::string&, double done) { progress.push_back(done); };
  std::vector<std::unique_ptr<host::Context>> contexts;
  for (const char* types : {"f16", "q4_0"}) {
    host::ContextOptions options;
    options.cache = host::parse_stock_cache(types);
    options.n_context = cells_for_speed(call);
    contexts.push_back(std::make_unique<host::Context>(model, options));
  }
  const std::vector<Speed> speeds = measure_speed(contexts, call);
  ASSERT_EQ(speeds.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    ASSERT_EQ(speeds[i].prompt.size(), 2U);
    ASSERT_EQ(speeds[i].decode.size(), 2U);
    EXPECT_GT(speeds[i].prompt[1], 0);
    EXPECT_GT(speeds[i].decode[1], 0);
    EXPECT_EQ(contexts[i]->n_past(), 300 + 1 + 4);
  }
  EXPECT_TRUE(std::is_sorted(progress.begin(), progress.end()));
  EXPECT_EQ(progress.back(), 1.0);
}

TEST(Speed, LeavesSlowCachesOutOfFurtherRounds) {
  host::start();
  const host::Model model(KVSPLIT_SOURCE_DIR "/tests/data/models/llama.gguf", "CPU");
  const std::vector<host::Token> tokens = {1, 2, 3};
  SpeedCall call;
  call.tokens = tokens;
  call.depth = 0;
  call.prompt_tokens = 8;
  call.decode_tokens = 0;
  call.rounds = 3;
  call.seconds_per_cache = 1e-9;
  std::vector<std::unique_ptr<host::Context>> contexts;
  host::ContextOptions options;
  options.cache = host::parse_stock_cache("f16");
  options.n_context = 256;
  contexts.push_back(std::make_unique<host::Context>(model, options));
  const std::vector<Speed> speeds = measure_speed(contexts, call);
  EXPECT_EQ(speeds[0].prompt.size(), 1U);
  EXPECT_TRUE(speeds[0].decode.empty());

  std::vector<CacheRecord> records(1);
  add_speeds(call, speeds, records);
  EXPECT_EQ(records[0].speed_rounds, 1);
  EXPECT_EQ(records[0].prompt->ratio, 1);
  EXPECT_FALSE(records[0].decode.has_value());
}

}  // namespace
}  // namespace kvsplit::measure
