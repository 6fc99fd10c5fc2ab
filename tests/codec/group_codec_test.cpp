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
  Half stored = 0;
  float scale = 0;
  std::vector<std::uint8_t> codes;
  std::vector<float> numbers;  // decoded

  double squared_error(const std::vector<float>& x) const {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) sum += std::pow(double{x[i]} - numbers[i], 2);
    return sum;
  }
};

Encoded encode(const std::vector<float>& x, int bits) {
  Encoded result;
  result.codes.resize(x.size());
  result.numbers.resize(x.size());
  result.stored = encode_group(x, bits, result.codes);
  result.scale = half_to_float(result.stored);
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
    EXPECT_EQ(encoded.stored, 0x3000) << bits;  // 1/8
    for (std::size_t i = 0; i < x.size(); ++i)
      EXPECT_EQ(encoded.codes[i], i % (1U << bits)) << bits;
    EXPECT_EQ(encoded.numbers, x) << bits;
  }
}

// x̂ = scale · (code − middle), from the header: 4 bits, scale 0.5, codes 0, 7, 8, 15.
TEST(GroupCodec, DecodesByTheFormula) {
  const std::vector<std::uint8_t> codes{0, 7, 8, 15};
  std::vector<float> numbers(4);
  decode_group(codes, 4, float_to_half(0.5F), numbers);
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

// Plain: the largest number is the last level. The search, which tries that scale first, ends at
// the least-squares scale s of some codes z, where the error is a parabola Σ z² · (scale − s)²
// above its minimum; f16 moves the scale by 2^-11 of itself at most, and |z| ≤ middle. New codes
// at the final scale only gain.
TEST(GroupCodec, ASearchedScaleIsNeverWorseThanThePlainOne) {
  on_random_groups([](const std::vector<float>& x, int bits) {
    const float middle = code_middle(bits);
    float largest = 0;
    for (const float number : x) largest = std::max(largest, std::fabs(number));
    const float plain = largest / middle;
    double plain_error = 0;
    for (const float number : x) {
      const float level = std::floor(number / plain + middle + 0.5F);
      const float code = std::clamp(level, 0.0F, 2 * middle);
      plain_error += std::pow(double{number} - plain * (code - middle), 2);
    }
    const Encoded encoded = encode(x, bits);
    const double moved =
        std::pow(encoded.scale * 0x1p-11 * middle, 2) * static_cast<double>(x.size());
    ASSERT_LE(encoded.squared_error(x), plain_error + moved);
  });
}

// The scale of 8 bits is the plain one, and half a step beyond the last level is more than f16
// rounds it down by.
TEST(GroupCodec, EightBitsClipNothing) {
  on_random_groups([](const std::vector<float>& x, int bits) {
    if (bits < 8) return;
    const Encoded encoded = encode(x, bits);
    for (const float number : x) ASSERT_LE(std::fabs(number), encoded.scale * 128);
  });
}

TEST(GroupCodec, EncodingDecodedNumbersChangesNothing) {
  on_random_groups([](const std::vector<float>& x, int bits) {
    const Encoded once = encode(x, bits);
    ASSERT_EQ(encode(once.numbers, bits).numbers, once.numbers);
  });
}

// Powers of two move exponents only, as long as the scale stays a normal f16 number.
TEST(GroupCodec, ALouderGroupHasTheSameCodesAndALouderScale) {
  std::mt19937 random(2);
  for (int bits = min_coded_bits; bits <= max_coded_bits; ++bits) {
    const std::vector<float> x = gaussian(32, random);
    const Encoded plain = encode(x, bits);
    for (const float factor : {0x1p-6F, 0x1p-1F, 0x1p9F}) {
      std::vector<float> louder = x;
      for (float& number : louder) number *= factor;
      const Encoded encoded = encode(louder, bits);
      EXPECT_EQ(encoded.codes, plain.codes) << bits << " bits, " << factor;
      EXPECT_EQ(encoded.scale, plain.scale * factor) << bits << " bits, " << factor;
    }
  }
}

TEST(GroupCodec, ZerosStayZeros) {
  for (int bits = min_coded_bits; bits <= max_coded_bits; ++bits) {
    const std::vector<float> zeros(32);
    const Encoded encoded = encode(zeros, bits);
    EXPECT_EQ(encoded.stored, 0) << bits;
    EXPECT_EQ(encoded.numbers, zeros) << bits;
  }
}

// Below half of f16's smallest number a scale is 0. Above, the step is that number or more, and the
// scale itself is off by up to half of it.
TEST(GroupCodec, NumbersTooSmallForTheScaleAreZerosOrNearlySo) {
  std::mt19937 random(3);
  for (int bits = min_coded_bits; bits <= max_coded_bits; ++bits) {
    for (const float sigma : {1e-40F, 1e-30F, 1e-12F, 1e-7F, 1e-6F, 1e-5F}) {
      const std::vector<float> x = gaussian(32, random, sigma);
      const Encoded encoded = encode(x, bits);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const float bound = std::max(std::fabs(x[i]), encoded.scale) + 0x1p-25F * code_middle(bits);
        ASSERT_LE(std::fabs(x[i] - encoded.numbers[i]), bound) << bits << " bits, " << sigma;
      }
      if (sigma < 1e-11F) {
        ASSERT_EQ(encoded.numbers, std::vector<float>(32)) << bits << " bits";
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
        EXPECT_LT(encoded.stored, 0x7C00) << bits << " bits, " << odd;
        for (const float number : encoded.numbers) EXPECT_TRUE(std::isfinite(number));
      }
    }
  }
}

// Give or take the rounding of the scale, which at one bit would be twice the largest f16 itself.
TEST(GroupCodec, WhatHalvesCannotHoldIsTheLargestOfThem) {
  std::mt19937 random(4);
  for (int bits = min_coded_bits; bits <= max_coded_bits; ++bits) {
    const float most = bits == 1 ? half_max / 2 : half_max;
    for (const float odd : {infinity, 1e9F, 1e6F}) {
      std::vector<float> x = gaussian(32, random);
      x[3] = odd;
      x[17] = -odd;
      const Encoded encoded = encode(x, bits);
      EXPECT_NEAR(encoded.numbers[3], most, most * 0x1p-11F) << bits << " bits, " << odd;
      EXPECT_NEAR(encoded.numbers[17], -most, most * 0x1p-11F) << bits << " bits, " << odd;
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
