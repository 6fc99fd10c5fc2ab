#include "codec/transform.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <span>
#include <vector>

namespace kvsplit {
namespace {

constexpr TransformKind hadamard = TransformKind::hadamard;

std::vector<float> gaussian(int n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<std::size_t>(n));
  for (float& number : x) number = normal(random);
  return x;
}

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

// log2(n) additions and one product, each rounded: a few ulp of the head's length.
double bound(std::span<const float> head) { return 16 * 0x1p-24 * std::sqrt(dot(head, head)); }

/// Head sizes that are packed (48 too, which is not, as a shape with a block of 16), and their
/// blocks.
struct Head {
  int size, block;
};

constexpr Head heads[] = {{32, 32},   {48, 16},  {64, 64},  {80, 16},  {96, 32},
                          {128, 128}, {160, 32}, {192, 64}, {224, 32}, {256, 256}};

TEST(Transform, IdentityChangesNothing) {
  for (const Head& head : heads) {
    std::vector<float> x = gaussian(head.size, 1);
    const std::vector<float> before = x;
    transform_head(TransformKind::identity, x);
    EXPECT_EQ(x, before);
    transform_head(TransformKind::identity, x);
    EXPECT_EQ(x, before);
  }
}

TEST(Transform, TheInverseTurnsBack) {
  for (const Head& head : heads) {
    const std::vector<float> x = gaussian(head.size, 2);
    std::vector<float> there_and_back = x;
    transform_head(hadamard, there_and_back);
    EXPECT_NE(there_and_back, x) << head.size;
    transform_head(hadamard, there_and_back);
    for (int i = 0; i < head.size; ++i) ASSERT_NEAR(there_and_back[i], x[i], bound(x)) << head.size;
  }
}

// What lets queries meet turned keys: (Hk)·(Hq) = k·q.
TEST(Transform, ProductsOfTurnedHeadsAreThoseOfTheHeads) {
  for (const Head& head : heads) {
    std::vector<float> k = gaussian(head.size, 3);
    std::vector<float> q = gaussian(head.size, 4);
    const double before = dot(k, q);
    const double most = bound(k) * std::sqrt(dot(q, q)) * 2;
    transform_head(hadamard, k);
    transform_head(hadamard, q);
    EXPECT_NEAR(dot(k, q), before, most) << head.size;
  }
}

// The i-th channel's image is row i of Sylvester's matrix over √n: signs by the parity of i & j, in
// blocks of the largest power of two that divides the head.
TEST(Transform, AChannelBecomesARowOfSylvestersMatrix) {
  for (const Head& head : heads) {
    for (int i = 0; i < head.size; ++i) {
      std::vector<float> x(static_cast<std::size_t>(head.size));
      x[i] = 1;
      transform_head(hadamard, x);
      const float size = 1 / std::sqrt(static_cast<float>(head.block));
      for (int j = 0; j < head.size; ++j) {
        const bool same_block = i / head.block == j / head.block;
        const bool odd = std::popcount(static_cast<unsigned>(i & j & (head.block - 1))) % 2 != 0;
        ASSERT_EQ(x[j], same_block ? (odd ? -size : size) : 0.0F)
            << head.size << ": " << i << ", " << j;
      }
    }
  }
}

// The point of it: one loud channel among quiet ones makes a head whose largest number is near its
// mean, where a group's scale would have followed the loud one.
TEST(Transform, SpreadsAnOutlierOverItsBlock) {
  for (const Head& head : heads) {
    std::vector<float> x = gaussian(head.size, 5);
    x[7] = 100;
    transform_head(hadamard, x);
    float largest = 0;
    for (const float number : x) largest = std::max(largest, std::fabs(number));
    EXPECT_LT(largest, 100 / std::sqrt(static_cast<float>(head.block)) + 6) << head.size;
  }
}

}  // namespace
}  // namespace kvsplit
