// Attention on the device KVSPLIT against the host's own CPU device with an f16 cache.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/plugin/host.h"

namespace kvsplit::test {
namespace {

constexpr float hidden = -std::numeric_limits<float>::infinity();

// The CPU device rounds queries and its sums of values to f16: with errors of 2^-11 of the running
// sums, at most n_kv of them, seldom all in one direction.
double fp16_bound(std::int64_t n_kv) { return 4 * std::sqrt(static_cast<double>(n_kv)) / 2048; }

struct Case {
  const char* name;
  LayerShape shape;
  int n_tokens;
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest looks for this name
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const Case cases[] = {
    {"OneHead", {64, 64, 1, 1, 64, 1}, 1},
    {"GroupsOfThree", {64, 64, 3, 9, 256, 1}, 1},
    {"PromptOfGroups", {64, 64, 2, 8, 256, 1}, 17},
    {"SmallHeads", {32, 32, 4, 8, 64, 1}, 5},
    {"LargeHeads", {256, 256, 1, 4, 128, 1}, 3},
    {"NoPowerOfTwo", {96, 96, 2, 4, 128, 1}, 2},
    {"KeysAndValuesApart", {192, 128, 2, 2, 64, 1}, 4},
    {"Streams", {64, 64, 2, 4, 128, 3}, 2},
    {"StreamsOfOneHead", {128, 128, 1, 8, 64, 2}, 1},
    {"OddCells", {64, 64, 2, 4, 80, 2}, 3},
};

class Attention : public testing::TestWithParam<Case> {
 protected:
  // Runs a step here and on the CPU device.
  static double error_of(const std::string& precision, const Step& step, const LayerShape& shape) {
    use(precision);
    Host packed = Host::kvsplit();
    Host stock = Host::cpu();
    const LayerCache packed_cache(packed, shape);
    const LayerCache stock_cache(stock, shape);
    return relative_error(run(packed, packed_cache, step), run(stock, stock_cache, step));
  }
};

INSTANTIATE_TEST_SUITE_P(Shapes, Attention, testing::ValuesIn(cases),
                         [](const auto& info) { return info.param.name; });

TEST_P(Attention, AtSixteenBitsIsTheHosts) {
  const auto& [name, shape, n_tokens] = GetParam();
  const Step step = random_step(shape, shape.kv_size, n_tokens, 1);
  EXPECT_LT(error_of("FP16", step, shape), fp16_bound(shape.kv_size));
}

// Four bits of values leave rounding errors of a third of a step of max / 7 or so; the lower bound
// shows that the rows were packed at all.
TEST_P(Attention, AtFourBitsIsNearTheHosts) {
  const auto& [name, shape, n_tokens] = GetParam();
  const Step step = random_step(shape, shape.kv_size, n_tokens, 2);
  const double error = error_of("K8V4:sinks=0:window=0", step, shape);
  EXPECT_LT(error, 0.15);
  EXPECT_GT(error, 0.01);
}

TEST_P(Attention, HasHolesAndRowsThatSeeNothing) {
  const auto& [name, shape, n_tokens] = GetParam();
  Step step = random_step(shape, shape.kv_size, n_tokens, 3);
  const auto n_kv = static_cast<std::size_t>(step.n_kv);
  step.mask.assign(static_cast<std::size_t>(shape.n_streams * n_tokens) * n_kv, 0);
  for (std::size_t i = 0; i < step.mask.size(); ++i) {
    if (i % 7 == 0 || i % 11 == 3) step.mask[i] = hidden;
  }
  // The first query of each stream sees nothing.
  for (int stream = 0; stream < shape.n_streams; ++stream) {
    const auto first = static_cast<std::size_t>(stream * n_tokens) * n_kv;
    std::fill_n(step.mask.begin() + static_cast<std::ptrdiff_t>(first), n_kv, hidden);
  }
  use("FP16");
  Host packed = Host::kvsplit();
  Host stock = Host::cpu();
  const LayerCache packed_cache(packed, shape);
  const LayerCache stock_cache(stock, shape);
  const std::vector<float> ours = run(packed, packed_cache, step);
  const std::vector<float> theirs = run(stock, stock_cache, step);
  for (const float number : ours) ASSERT_TRUE(std::isfinite(number));
  if (n_tokens > 1) {
    EXPECT_LT(relative_error(ours, theirs), fp16_bound(shape.kv_size));
  }
  const auto row = static_cast<std::size_t>(shape.n_heads * shape.head_dim_v);
  for (int stream = 0; stream < shape.n_streams; ++stream) {
    for (std::size_t i = 0; i < row; ++i) {
      ASSERT_EQ(ours[static_cast<std::size_t>(stream * n_tokens) * row + i], 0);
    }
  }
}

class AttentionOptions : public Attention {};
INSTANTIATE_TEST_SUITE_P(Options, AttentionOptions,
                         testing::Values(Case{"Plain", {64, 64, 2, 6, 128, 1}, 4}));

TEST_P(AttentionOptions, AlibiSoftCapAndSinksAreTheHosts) {
  const LayerShape& shape = GetParam().shape;
  Step step = random_step(shape, shape.kv_size, GetParam().n_tokens, 4);
  const double bound = fp16_bound(shape.kv_size);
  step.softcap = 5;
  EXPECT_LT(error_of("FP16", step, shape), bound);
  step.sinks = {0.5F, 3, -2, 6, 0, 1};
  EXPECT_LT(error_of("FP16", step, shape), bound);
  step.softcap = 0;
  EXPECT_LT(error_of("FP16", step, shape), bound);
  step.max_bias = 8;
  for (int token = 0; token < step.n_tokens; ++token) {
    for (std::int64_t cell = 0; cell < step.n_kv; ++cell) {
      step.mask.push_back(-static_cast<float>(std::abs(cell - token)));
    }
  }
  EXPECT_LT(error_of("FP16", step, shape), bound);
}

// The bound above can fail: the same numbers without one of the options are far off.
TEST_P(AttentionOptions, AreNoticed) {
  const LayerShape& shape = GetParam().shape;
  Step step = random_step(shape, shape.kv_size, GetParam().n_tokens, 5);
  use("FP16");
  Host packed = Host::kvsplit();
  Host stock = Host::cpu();
  const LayerCache packed_cache(packed, shape);
  const LayerCache stock_cache(stock, shape);
  const std::vector<float> without = run(stock, stock_cache, step);
  step.sinks = {0.5F, 3, -2, 6, 0, 1};
  EXPECT_GT(relative_error(run(packed, packed_cache, step), without), fp16_bound(shape.kv_size));
}

TEST(PluginCache, IsWrittenInAnyOrderAndAgain) {
  use("K8V8");
  const LayerShape shape;
  Host host = Host::kvsplit();
  const LayerCache all_at_once(host, shape);
  const Step whole = random_step(shape, shape.kv_size, 2, 6);
  const std::vector<float> expected = run(host, all_at_once, whole);

  const LayerCache in_pieces(host, shape);
  run(host, in_pieces, random_step(shape, shape.kv_size, 2, 99));  // to be overwritten
  const std::size_t row_k = whole.k.size() / whole.rows.size();
  const std::size_t row_v = whole.v.size() / whole.rows.size();
  for (std::size_t i = whole.rows.size(); i-- > 0;) {
    Step piece = whole;
    piece.rows = {whole.rows[i]};
    piece.k.assign(&whole.k[i * row_k], &whole.k[i * row_k] + row_k);
    piece.v.assign(&whole.v[i * row_v], &whole.v[i * row_v] + row_v);
    piece.row_type = i % 2 == 0 ? GGML_TYPE_I32 : GGML_TYPE_I64;
    run(host, in_pieces, piece);
  }
  EXPECT_EQ(saved(in_pieces.k()), saved(all_at_once.k()));
  Step only_look = whole;
  only_look.rows.clear();
  EXPECT_EQ(run(host, in_pieces, only_look), expected);
}

TEST(PluginCache, DoesNotDependOnTheNumberOfThreads) {
  use("K4V3");
  const LayerShape shape{64, 64, 2, 8, 256, 1};
  const Step step = random_step(shape, shape.kv_size, 3, 7);
  Host one = Host::kvsplit(1);
  const LayerCache cache_of_one(one, shape);
  const std::vector<float> expected = run(one, cache_of_one, step);
  for (const int n_threads : {2, 3, 5}) {
    Host several = Host::kvsplit(n_threads);
    const LayerCache cache(several, shape);
    EXPECT_EQ(run(several, cache, step), expected) << n_threads;
    EXPECT_EQ(saved(cache.v()), saved(cache_of_one.v())) << n_threads;
  }
}

TEST(PluginCache, AQueryMayLookAtSomeStreamsOnly) {
  use("FP16");
  const LayerShape shape{64, 64, 2, 4, 64, 4};
  Host packed = Host::kvsplit();
  Host stock = Host::cpu();
  const LayerCache packed_cache(packed, shape);
  const LayerCache stock_cache(stock, shape);
  Step step = random_step(shape, shape.kv_size, 2, 8);
  step.first_stream = 1;
  step.n_streams = 2;
  step.q.resize(step.q.size() / 2);
  EXPECT_LT(relative_error(run(packed, packed_cache, step), run(stock, stock_cache, step)),
            fp16_bound(shape.kv_size));
}

}  // namespace
}  // namespace kvsplit::test
