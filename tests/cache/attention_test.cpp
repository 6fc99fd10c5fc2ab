#include "cache/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <random>
#include <string>

#include "kernels/attend.h"
#include "support/attention_oracle.h"
#include "support/attention_scene.h"

namespace kvsplit {
namespace {

using test::Scene;
using Shape = test::SceneShape;

Precision precision(int k_bits, int v_bits) {
  Precision p;
  p.k_bits = k_bits;
  p.v_bits = v_bits;
  return p;
}

// CTest runs this file once more on each instruction set.
TEST(Attention, RunsOnTheForcedInstructionSet) {
  const char* const forced = std::getenv("KVSPLIT_ISA");
  if (forced == nullptr) GTEST_SKIP() << "KVSPLIT_ISA is not set";
  EXPECT_STREQ(kernels().name, forced);
}

TEST(Attention, EveryPairOfWidthsIsTheFormula) {
  for (const int k_bits : {2, 3, 4, 5, 6, 8, 16}) {
    for (const int v_bits : {2, 3, 4, 5, 6, 8, 16}) {
      SCOPED_TRACE(to_string(precision(k_bits, v_bits)));
      Shape shape;
      shape.precision = precision(k_bits, v_bits);
      Scene scene(shape);
      scene.attend();
      scene.expect_oracle();
    }
  }
}

TEST(Attention, EveryHeadSizeAndGroup) {
  for (int head_dim = 32; head_dim <= 256; head_dim += 32) {
    for (const int group_size : {1, 2, 3, 4, 5, 7, 8, 16}) {
      SCOPED_TRACE("head " + std::to_string(head_dim) + " group " + std::to_string(group_size));
      Shape shape;
      shape.head_dim_k = head_dim;
      shape.head_dim_v = 288 - head_dim;
      shape.n_kv_heads = 2;
      shape.group_size = group_size;
      shape.n_kv = 128;
      Scene scene(shape);
      scene.attend();
      scene.expect_oracle();
    }
  }
}

TEST(Attention, PromptsSeeWhatTheMaskShows) {
  for (const int n_tokens : {2, 7, 64, 100}) {
    SCOPED_TRACE(n_tokens);
    Shape shape;
    shape.n_tokens = n_tokens;
    Scene scene(shape);
    scene.make_causal();
    scene.attend();
    scene.expect_oracle();
  }
}

TEST(Attention, CellCountsOfAnyLength) {
  for (const std::int64_t n_kv : {1, 15, 16, 17, 63, 64, 65, 127, 129, 300, 1000}) {
    SCOPED_TRACE(n_kv);
    Shape shape;
    shape.n_kv = n_kv;
    shape.n_streams = 2;  // streams of odd sizes begin at tiles of their own
    Scene scene(shape);
    scene.attend();
    scene.expect_oracle();
  }
}

TEST(Attention, WithoutAMaskAllCellsAreSeen) {
  Shape shape;
  shape.n_kv = 100;
  Scene scene(shape);
  scene.call.mask = nullptr;
  scene.attend();
  scene.expect_oracle();
}

TEST(Attention, CellsOfSeveralSequencesInNoOrder) {
  Shape shape;
  shape.n_tokens = 5;
  Scene scene(shape);
  std::mt19937 random(7);
  for (Half& m : scene.mask) m = random() % 3 == 0 ? half_minus_infinity : float_to_half(0);
  scene.attend();
  scene.expect_oracle();
}

TEST(Attention, ARowThatSeesNothingGivesZeros) {
  Shape shape;
  shape.n_tokens = 3;
  Scene scene(shape);
  for (std::int64_t cell = 0; cell < shape.n_kv; ++cell)
    scene.mask_at(0, 1, cell) = half_minus_infinity;
  scene.attend();
  scene.expect_oracle();
  const std::size_t row = static_cast<std::size_t>(shape.n_heads()) * shape.head_dim_v;
  for (std::size_t i = row; i < 2 * row; ++i) ASSERT_EQ(scene.out[i], 0.0F);
}

TEST(Attention, AlibiSoftcapAndSinks) {
  for (const int group_size : {1, 4}) {
    Shape shape;
    shape.n_kv_heads = 3;  // 3 or 12 heads: not a power of two, so both kinds of slopes occur
    shape.group_size = group_size;
    shape.n_tokens = 4;
    Scene scene(shape);
    for (int t = 0; t < shape.n_tokens; ++t) {
      for (std::int64_t c = 0; c < shape.n_kv; ++c) {
        scene.mask_at(0, t, c) = float_to_half(-std::fabs(static_cast<float>(c) - 200.0F - t));
      }
    }
    std::vector<float> sinks = test::random_numbers(scene.call.n_heads, 5);
    for (float& sink : sinks) sink += 3;
    scene.call.max_bias = 8;
    scene.attend();
    scene.expect_oracle();
    scene.call.softcap = 20;
    scene.attend();
    scene.expect_oracle();
    scene.call.sinks = sinks.data();
    scene.attend();
    scene.expect_oracle();
  }
}

TEST(Attention, StreamsAreApartAndStartAnywhere) {
  Shape shape;
  shape.n_streams = 3;
  shape.n_tokens = 2;
  Scene scene(shape);
  scene.call.n_streams = 2;
  scene.call.first_stream = 1;
  scene.attend();
  const auto expected = oracle::attend(*scene.k, *scene.v, scene.call, true);
  for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(scene.out[i], expected[i], 3e-3);
}

TEST(Attention, TheNumberOfThreadsChangesNothing) {
  for (const int n_tokens : {1, 3, 200}) {
    Shape shape;
    shape.n_tokens = n_tokens;
    shape.n_kv = 1024;
    Scene scene(shape);
    scene.make_causal();
    scene.attend(1);
    const auto alone = scene.out;
    for (const int n_threads : {2, 3, 7}) {
      scene.attend(n_threads);
      ASSERT_EQ(alone, scene.out) << n_threads << " threads";
    }
  }
}

TEST(Attention, ASequenceDoesNotNoticeItsNeighbours) {
  Shape shape;
  shape.precision = parse_precision("K8V4:sinks=0:window=0");
  shape.n_tokens = 2;
  Scene scene(shape);
  // token 0 sees even cells, token 1 odd ones
  for (std::int64_t c = 0; c < shape.n_kv; ++c)
    scene.mask_at(0, c % 2 == 0 ? 1 : 0, c) = half_minus_infinity;
  scene.attend();
  const auto before = scene.out;
  std::vector<std::int64_t> odd;
  for (std::int64_t c = 1; c < shape.n_kv; c += 2) odd.push_back(c);
  test::write_rows(*scene.k, test::random_numbers(odd.size() * 192, 77), odd);
  test::write_rows(*scene.v, test::random_numbers(odd.size() * 192, 78), odd);
  scene.attend();
  const std::size_t row = static_cast<std::size_t>(shape.n_heads()) * shape.head_dim_v;
  EXPECT_TRUE(std::equal(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(row),
                         scene.out.begin()));
  EXPECT_FALSE(std::equal(before.begin() + static_cast<std::ptrdiff_t>(row), before.end(),
                          scene.out.begin() + static_cast<std::ptrdiff_t>(row)));
}

TEST(Attention, PeakedAndFlatSoftmaxAlike) {
  for (const float loudness : {0.0F, 0.01F, 10.0F, 100.0F}) {
    SCOPED_TRACE(loudness);
    Shape shape;
    shape.n_kv = 512;
    Scene scene(shape);
    scene.call.scale *= loudness;
    scene.attend();
    scene.expect_oracle();
  }
}

TEST(Attention, TheOracleNoticesFlippedCodes) {
  Scene scene(Shape{});
  const auto expected = oracle::attend(*scene.k, *scene.v, scene.call, true);
  std::byte* const first_tile = scene.v->tiles(scene.v->head_groups(0)[0], 0);
  // 4-bit values: eight bytes hold sixteen codes of the first tokens
  for (int i = 0; i < 128; i += 16) first_tile[i] ^= std::byte{0xFF};
  scene.attend();
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    worst = std::max(worst, std::fabs(scene.out[i] - expected[i]));
  }
  EXPECT_GT(worst, 3e-3);
}

}  // namespace
}  // namespace kvsplit
