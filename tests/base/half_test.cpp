#include "base/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/cpu_features.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kvsplit {
namespace {

constexpr Half infinity = 0x7C00;
constexpr Half sign_bit = 0x8000;
constexpr int n_halves = 65536;

bool is_nan(Half half) { return (half & ~sign_bit) > infinity; }
bool is_finite(Half half) { return (half & ~sign_bit) < infinity; }

// IEEE 754: (-1)^sign · 2^(exponent − 15) · 1.mantissa, and 2^-14 · 0.mantissa where exponent is 0.
double definition(Half half) {
  const int exponent = (half >> 10) & 31;
  const int mantissa = half & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return (half & sign_bit) != 0 ? -magnitude : magnitude;
}

TEST(Half, EveryFiniteOneIsTheNumberOfItsDefinition) {
  for (int i = 0; i < n_halves; ++i) {
    const auto half = static_cast<Half>(i);
    if (is_finite(half)) {
      ASSERT_EQ(half_to_float(half), definition(half)) << i;
    }
  }
}

TEST(Half, EveryOneSurvivesTheRoundTrip) {
  for (int i = 0; i < n_halves; ++i) {
    const auto half = static_cast<Half>(i);
    const Half back = float_to_half(half_to_float(half));
    if (is_nan(half)) {
      ASSERT_TRUE(is_nan(back)) << i;
      ASSERT_EQ(back & sign_bit, half & sign_bit) << i;
    } else {
      ASSERT_EQ(back, half) << i;  // infinities and -0 too
    }
  }
}

TEST(Half, BetweenNeighboursTheNearestWinsAndOfTwoTheEven) {
  const float up = std::numeric_limits<float>::infinity();
  for (int i = 0; i + 1 < infinity; ++i) {
    const auto low = static_cast<Half>(i);
    const auto high = static_cast<Half>(i + 1);
    // Exact: a float has 13 bits more.
    const float middle = (half_to_float(low) + half_to_float(high)) / 2;
    const Half even = i % 2 == 0 ? low : high;
    for (const Half sign : {Half{0}, sign_bit}) {
      const float s = sign == 0 ? 1.0F : -1.0F;
      ASSERT_EQ(float_to_half(s * middle), sign | even) << i;
      ASSERT_EQ(float_to_half(s * std::nextafter(middle, 0.0F)), sign | low) << i;
      ASSERT_EQ(float_to_half(s * std::nextafter(middle, up)), sign | high) << i;
    }
  }
}

TEST(Half, WhatIsTooLargeIsInfinite) {
  const float first = 65520;  // half way from 65504 to what would be 65536, which is the even one
  EXPECT_EQ(float_to_half(std::nextafter(first, 0.0F)), 0x7BFF);
  EXPECT_EQ(float_to_half(-std::nextafter(first, 0.0F)), 0xFBFF);
  for (const float x :
       {first, 1e6F, std::numeric_limits<float>::max(), std::numeric_limits<float>::infinity()}) {
    EXPECT_EQ(float_to_half(x), infinity) << x;
    EXPECT_EQ(float_to_half(-x), half_minus_infinity) << x;
  }
  EXPECT_EQ(half_to_float(0x7BFF), half_max);
  EXPECT_EQ(half_to_float(infinity), std::numeric_limits<float>::infinity());
  EXPECT_EQ(half_to_float(half_minus_infinity), -std::numeric_limits<float>::infinity());
}

TEST(Half, WhatIsTooSmallIsZeroOfTheSameSign) {
  const float last = 0x1p-25F;  // half of the smallest one: of 0 and 2^-24, 0 is even
  for (const float x : {last, 1e-30F, std::numeric_limits<float>::denorm_min(), 0.0F}) {
    EXPECT_EQ(float_to_half(x), 0) << x;
    EXPECT_EQ(float_to_half(-x), sign_bit) << x;
  }
  EXPECT_EQ(float_to_half(std::nextafter(last, 1.0F)), 1);
}

TEST(Half, NaNStaysNaNWhateverItsBits) {
  for (const std::uint32_t mantissa : {1U, 0x1000U, 0x1FFFU, 0x2000U, 0x400000U, 0x7FFFFFU}) {
    for (const std::uint32_t sign : {0U, 0x80000000U}) {
      const float nan = std::bit_cast<float>(sign | 0x7F800000U | mantissa);
      EXPECT_TRUE(is_nan(float_to_half(nan))) << std::hex << mantissa;
    }
  }
  for (int i = infinity + 1; i < 0x8000; ++i) {
    ASSERT_TRUE(std::isnan(half_to_float(static_cast<Half>(i)))) << i;
  }
}

#if defined(__x86_64__)

__attribute__((target("f16c"))) Half float_to_half_in_hardware(float x) {
  return static_cast<Half>(_cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT));
}

__attribute__((target("f16c"))) float half_to_float_in_hardware(Half half) {
  return _cvtsh_ss(half);
}

// The kernels convert in hardware, encoders do not: both must read a scale alike.
TEST(Half, TheProcessorAgrees) {
  if (!cpu_features().avx2) GTEST_SKIP() << "no F16C here";
  for (int i = 0; i < n_halves; ++i) {
    const auto half = static_cast<Half>(i);
    if (is_nan(half)) continue;
    ASSERT_EQ(half_to_float(half), half_to_float_in_hardware(half)) << i;
  }
  constexpr std::uint64_t n_floats = std::uint64_t{1} << 32U;
  constexpr std::uint64_t step = 2477;  // a prime: all exponents, and mantissas of every ending
  for (std::uint64_t bits = 0; bits < n_floats; bits += step) {
    const auto x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (std::isnan(x)) continue;
    ASSERT_EQ(float_to_half(x), float_to_half_in_hardware(x)) << x;
  }
}

#endif

}  // namespace
}  // namespace kvsplit
