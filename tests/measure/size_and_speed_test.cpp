#include <gtest/gtest.h>

#include <cmath>

#include "host/backend.h"
#include "host/log.h"
#include "measure/size.h"
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
                                                 host::kvsplit_cache({8, 4})};
  const auto sizes = measure_sizes(*model_, 1024, caches);
  for (const host::CacheSize& size : sizes) {
    EXPECT_EQ(size.k_numbers, numbers_per_token * 1024);
    EXPECT_EQ(size.v_numbers, numbers_per_token * 1024);
    EXPECT_EQ(size.n_unpacked, 0U);
  }
  EXPECT_EQ(sizes[0].bytes(), 2 * 2 * numbers_per_token * 1024);
  EXPECT_LE(sizes[1].bytes() * 32, sizes[0].bytes() * 13);
}

TEST_F(Sizes, OfStockTypesAreWhatLlamaCppAllocates) {
  const host::Model stock(test::demo_model(), "CPU");
  for (const char* types : {"f16/f16", "q8_0/q4_0", "q5_1/iq4_nl"}) {
    const std::vector<host::CacheChoice> caches = {host::parse_stock_cache(types)};
    const host::CacheSize size = measure_sizes(*model_, 2048, caches)[0];
    host::ContextOptions options;
    options.cache = caches[0];
    options.n_context = 2048;
    const host::LogCapture log;
    const host::Context context(stock, options);
    const double logged_mib = log.sum_after("KV buffer size =");
    EXPECT_NEAR(static_cast<double>(size.bytes()) / (1 << 20), logged_mib, 0.005) << types;
  }
}

TEST_F(Sizes, CostPerTokenIsWhatALongerCacheAdds) {
  const host::CacheChoice cache = host::kvsplit_cache({8, 4});
  const CacheCost cost = measure_cost(*model_, cache);
  const std::vector<host::CacheChoice> caches = {cache};
  const auto allocated = static_cast<double>(measure_sizes(*model_, 8192, caches)[0].bytes());
  EXPECT_DOUBLE_EQ(cost.fixed_bytes + 8192 * cost.bytes_per_token, allocated);
}

TEST(Speed, IsMeasuredAtItsDepthAndLeavesTheContextThere) {
  host::start();
  const host::Model model(test::demo_model(), "CPU");
  SpeedCall call;
  const std::vector<host::Token> tokens = model.tokenize("The lamp burned steadily all night.");
  call.tokens = tokens;
  call.depth = 300;
  call.prompt_tokens = 128;
  call.decode_tokens = 4;
  call.rounds = 2;
  std::vector<std::string> steps;
  call.progress = [&](const std::string& what, double) { steps.push_back(what); };
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
    EXPECT_GT(speeds[i].prompt_tps, 0);
    EXPECT_GT(speeds[i].decode_tps, 0);
    EXPECT_EQ(contexts[i]->n_past(), 300);
  }
  EXPECT_EQ(steps.size(), 4U);
}

}  // namespace
}  // namespace kvsplit::measure
