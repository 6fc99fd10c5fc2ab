#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <random>

#include "codec/group_codec.h"

// What the codec loses on Gaussian numbers, which is what a Hadamard transform makes of a head.
namespace kvsplit {
namespace {

constexpr int group = 32;
constexpr int n_groups = 1 << 14;

struct Loss {
  double error = 0;            // mean squared, of numbers of variance 1
  double largest_squared = 0;  // mean of the groups' largest, squared
};

const Loss& loss(int bits) {
  static const std::array<Loss, max_coded_bits + 1> table = [] {
    std::array<Loss, max_coded_bits + 1> losses;
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::array<float, group> x{};
    std::array<float, group> decoded{};
    std::array<std::uint8_t, group> codes{};
    for (int i = 0; i < n_groups; ++i) {
      double largest = 0;
      for (float& number : x) {
        number = normal(random);
        largest = std::max(largest, std::fabs(double{number}));
      }
      for (int b = min_coded_bits; b <= max_coded_bits; ++b) {
        decode_group(codes, b, encode_group(x, b, codes), decoded);
        for (int c = 0; c < group; ++c) {
          losses[b].error += std::pow(double{x[c]} - decoded[c], 2) / group / n_groups;
        }
        losses[b].largest_squared += largest * largest / n_groups;
      }
    }
    return losses;
  }();
  return table[bits];
}

// Where no number is clipped and steps are fine, the error is uniform in a step of 2·largest /
// (2^bits − 1): its mean square is that of the largest, · (2 / (2^bits − 1))² / 12. The largest
// number itself is exact: hence 31/32.
double loss_of_plain_scale(int bits) {
  const double step = 2.0 / ((1 << bits) - 1);
  return loss(bits).largest_squared * step * step / 12 * (group - 1) / group;
}

// Measured with 2^24 numbers; half a million have them to a percent.
TEST(GroupStatistics, LossOfEveryWidthIsPinned) {
  constexpr std::array pinned{0.3520,   0.1166,    0.02926,   0.007271,
                              0.001811, 0.0004478, 0.0001103, 2.837e-5};
  for (int bits = min_coded_bits; bits <= max_coded_bits; ++bits) {
    EXPECT_NEAR(loss(bits).error, pinned[bits - 1], 0.01 * pinned[bits - 1]) << bits;
  }
}

// J. Max, "Quantizing for minimum distortion" (1960), table II: the best uniform quantiser with one
// step for all numbers. A scale of its own for each 32 numbers must not do worse.
TEST(GroupStatistics, NoWorseThanTheBestStepForAll) {
  constexpr std::array best{0.3634,   0.1188,   0.03744,   0.01154,
                            0.003495, 0.001041, 0.0003035, 8.714e-5};
  for (int bits = min_coded_bits; bits <= max_coded_bits; ++bits) {
    EXPECT_LT(loss(bits).error, best[bits - 1]) << bits;
  }
}

TEST(GroupStatistics, EightBitsLoseWhatTheFormulaSays) {
  EXPECT_NEAR(loss(8).error / loss_of_plain_scale(8), 1, 0.01);
}

// The fit has one free number for 32, so it takes another 32nd part of the error.
TEST(GroupStatistics, TheFittedScaleGainsA32ndPart) {
  for (const int bits : {6, 7}) {
    EXPECT_NEAR(loss(bits).error / loss_of_plain_scale(bits), 31.0 / 32, 0.015) << bits;
  }
}

TEST(GroupStatistics, TheSearchGainsMostWhereThereAreFewestLevels) {
  EXPECT_LT(loss(5).error, 0.96 * loss_of_plain_scale(5));
  EXPECT_LT(loss(4).error, 0.91 * loss_of_plain_scale(4));
  EXPECT_LT(loss(3).error, 0.80 * loss_of_plain_scale(3));
}

// A bit halves the step and quarters the error; a little less while levels are few.
TEST(GroupStatistics, EveryBitDividesTheLossByThreeToFour) {
  for (int bits = min_coded_bits; bits < max_coded_bits; ++bits) {
    const double ratio = loss(bits).error / loss(bits + 1).error;
    EXPECT_GT(ratio, 3.0) << bits;
    EXPECT_LT(ratio, 4.1) << bits;
  }
}

}  // namespace
}  // namespace kvsplit
