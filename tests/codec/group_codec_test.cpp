#include "codec/group_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace kvsplit {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan_number = std::numeric_limits<float>::quiet_NaN();

struct Encoded {
  std::uint8_t stored = 0;
  float scale = 0;
  std::vector<std::uint16_t> codes;
  std::vector<float> numbers;  // decoded

  double squared_error(const std::vector<float>& x) const {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) sum += std::pow(double{x[i]} - numbers[i], 2);
    return sum;
  }
};

Encoded encode(const std::vector<float>& x, int bits, ScaleCodes scales = {}) {
  Encoded result;
  result.codes.resize(x.size());
  result.numbers.resize(x.size());
  result.stored = encode_group(x, bits, result.codes, scales);
  result.scale = scale_value(result.stored, bits);
  decode_group(result.codes, bits, result.stored, result.numbers);
  return result;
}

std::vector<float> gaussian(std::size_t n, std::mt19937& random, float sigma = 1) {
  std::normal_distribution<float> normal(0, sigma);
  std::vector<float> x(n);
  for (float& number : x) number = normal(random);
  return x;
}

/// Runs check(x, bits) on groups of every width and several sizes, some with an outlier.
template <typename Check>
void on_random_groups(const Check& check) {
  std::mt19937 random(1);
  for (int bits = min_coded_bits; bits <= max_coded_bits; ++bits) {
    for (const std::size_t n : {16U, 32U, 64U, 256U}) {
      for (int round = 0; round < 40; ++round) {
        SCOPED_TRACE(::testing::Message() << bits << " bits, group of " << n);
        const float sigma = std::exp2(static_cast<float>(round % 16) - 8);
        std::vector<float> x = gaussian(n, random, sigma);
        if (round % 4 == 0) x[random() % n] *= 20;
        check(x, bits);
      }
    }
  }
}

// All levels from the lowest to the highest, in steps of 1/8: nothing to round, nothing to search.
std::vector<float> numbers_on_levels(int bits) {
  const int n_levels = 1 << bits;
  std::vector<float> x;
  for (int i = 0; i < std::max(n_levels, 16); ++i) {
    x.push_back(0.125F * (static_cast<float>(i % n_levels) - code_middle(bits)));
  }
  return x;
}

TEST(GroupCodec, NumbersOnLevelsGetTheirCodesAndComeBackExactly) {
  for (int bits = min_coded_bits; bits <= max_coded_bits; ++bits) {
    const std::vector<float> x = numbers_on_levels(bits);
    const Encoded encoded = encode(x, bits);
    EXPECT_EQ(encoded.scale, 0.125F) << bits;
    for (std::size_t i = 0; i < x.size(); ++i)
      EXPECT_EQ(encoded.codes[i], i % (1U << bits)) << bits;
    EXPECT_EQ(encoded.numbers, x) << bits;
  }
}

// x̂ = scale · (code − middle), from the header: 4 bits, scale 0.5 = 2^(18 − 15 − 4), codes 0, 7,
// 8, 15.
TEST(GroupCodec, DecodesByTheFormula) {
  const std::vector<std::uint16_t> codes{0, 7, 8, 15};
  std::vector<float> numbers(4);
  decode_group(codes, 4, 18 * 8, numbers);
  EXPECT_EQ(numbers, (std::vector<float>{-3.75F, -0.25F, 0.25F, 3.75F}));
}

// Half a step where the last level reaches. Float arithmetic places a number among up to 256 levels
// with an error of some 2^-24 of their count.
TEST(GroupCodec, TheErrorIsAtMostHalfAStep) {
  on_random_groups([](const std::vector<float>& x, int bits) {
    const Encoded encoded = encode(x, bits);
    const float reach = encoded.scale * std::exp2(static_cast<float>(bits - 1));
    const float bound = encoded.scale * (0.5F + std::exp2(static_cast<float>(bits - 22)));
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (std::fabs(x[i]) <= reach) {
        ASSERT_LE(std::fabs(x[i] - encoded.numbers[i]), bound);
      } else {
        ASSERT_EQ(encoded.codes[i], x[i] < 0 ? 0 : (1 << bits) - 1);
      }
    }
  });
}

float largest_of(const std::vector<float>& x) {
  float largest = 0;
  for (const float number : x) largest = std::max(largest, std::fabs(number));
  return largest;
}

// The plain scale is the smallest whose last level no number is beyond; the search begins with it.
TEST(GroupCodec, ASearchedScaleIsNeverWorseThanThePlainOne) {
  on_random_groups([](const std::vector<float>& x, int bits) {
    const float middle = code_middle(bits);
    int plain = 0;
    while (scale_value(static_cast<std::uint8_t>(plain), bits) * middle < largest_of(x)) ++plain;
    const float scale = scale_value(static_cast<std::uint8_t>(plain), bits);
    double plain_error = 0;
    for (const float number : x) {
      const float level = std::floor(number / scale + middle + 0.5F);
      const float code = std::clamp(level, 0.0F, 2 * middle);
      plain_error += std::pow(double{number} - scale * (code - middle), 2);
    }
    const Encoded encoded = encode(x, bits);
    ASSERT_LE(encoded.stored, plain);
    ASSERT_LE(encoded.squared_error(x), plain_error * (1 + 1e-5));
  });
}

TEST(GroupCodec, EvenScalesAreEvenAndNeverMuchWorse) {
  on_random_groups([](const std::vector<float>& x, int bits) {
    const Encoded all = encode(x, bits);
    const Encoded even = encode(x, bits, even_scale_codes);
    ASSERT_EQ(even.stored % 2, 0);
    ASSERT_LE(std::abs(even.stored - all.stored), 8);
    ASSERT_LE(even.squared_error(x), 3 * all.squared_error(x) + 1e-12);
  });
}

// Powers of two move exponents only.
TEST(GroupCodec, ALouderGroupHasTheSameCodesAndALouderScale) {
  std::mt19937 random(2);
  for (int bits = min_coded_bits; bits <= max_coded_bits; ++bits) {
    const std::vector<float> x = gaussian(32, random);
    const Encoded plain = encode(x, bits);
    for (const float factor : {0x1p-10F, 0x1p-1F, 0x1p9F}) {
      std::vector<float> louder = x;
      for (float& number : louder) number *= factor;
      const Encoded encoded = encode(louder, bits);
      EXPECT_EQ(encoded.codes, plain.codes) << bits << " bits, " << factor;
      EXPECT_EQ(encoded.scale, plain.scale * factor) << bits << " bits, " << factor;
    }
  }
}

// Below the smallest scale, 2^(−15 − bits), numbers become half of it, and are off by no more.
TEST(GroupCodec, ZerosAndTinyNumbersAreNearlyZeros) {
  std::mt19937 random(3);
  for (int bits = min_coded_bits; bits <= max_coded_bits; ++bits) {
    for (const float sigma : {0.0F, 1e-40F, 1e-30F, 1e-12F, 1e-7F, 1e-6F}) {
      const std::vector<float> x =
          sigma == 0 ? std::vector<float>(32) : gaussian(32, random, sigma);
      const Encoded encoded = encode(x, bits);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const float bound = std::max(std::ldexp(0.501F, -15 - bits), std::fabs(x[i]));
        ASSERT_LE(std::fabs(x[i] - encoded.numbers[i]), bound) << bits << " bits, " << sigma;
      }
    }
  }
}

TEST(GroupCodec, WhateverIsGivenTheResultIsFinite) {
  const float largest = std::numeric_limits<float>::max();
  for (int bits = min_coded_bits; bits <= max_coded_bits; ++bits) {
    for (const float odd :
         {infinity, -infinity, nan_number, -nan_number, largest, -largest, 1e6F}) {
      for (const std::size_t n_odd : {1U, 2U, 16U}) {
        std::vector<float> x(16, 1.0F);
        std::fill_n(x.begin(), n_odd, odd);
        const Encoded encoded = encode(x, bits);
        for (const float number : encoded.numbers) EXPECT_TRUE(std::isfinite(number));
      }
    }
  }
}

// The largest scale is 1.875 · 2^(16 − bits).
TEST(GroupCodec, WhatNoScaleReachesIsTheLastLevelOfTheLargest) {
  std::mt19937 random(4);
  for (int bits = min_coded_bits; bits <= max_coded_bits; ++bits) {
    const float most = std::ldexp(1.875F, 16 - bits) * code_middle(bits);
    for (const float odd : {infinity, 1e9F, 1e6F}) {
      std::vector<float> x = gaussian(32, random);
      x[3] = odd;
      x[17] = -odd;
      const Encoded encoded = encode(x, bits);
      EXPECT_EQ(encoded.numbers[3], most) << bits << " bits, " << odd;
      EXPECT_EQ(encoded.numbers[17], -most) << bits << " bits, " << odd;
    }
  }
}

// A number that is none must not reach the others of its group.
TEST(GroupCodec, NaNIsTheLowestLevelOfItsGroup) {
  std::mt19937 random(5);
  for (int bits = min_coded_bits; bits <= max_coded_bits; ++bits) {
    std::vector<float> x = gaussian(32, random);
    x[9] = nan_number;
    const Encoded encoded = encode(x, bits);
    EXPECT_EQ(encoded.codes[9], 0) << bits;
    const float last = encoded.scale * std::exp2(static_cast<float>(bits - 1));
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (i != 9 && std::fabs(x[i]) <= last) {
        EXPECT_NEAR(encoded.numbers[i], x[i], encoded.scale * 0.5001F) << bits;
      }
    }
  }
}

}  // namespace
}  // namespace kvsplit
