#pragma once

#include <bit>
#include <cstdint>

namespace kvsplit {

/// IEEE 754 binary16, as stored. Conversions round to nearest even and keep infinities and NaNs.
using Half = std::uint16_t;

inline constexpr Half half_minus_infinity = 0xFC00;
inline constexpr float half_max = 65504.0F;

inline float half_to_float(Half half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16U;
  const std::uint32_t magnitude = half & 0x7FFFU;
  if (magnitude >= 0x7C00U)
    return std::bit_cast<float>(sign | 0x7F800000U | (magnitude & 0x3FFU) << 13U);
  // Shifting the bits into place leaves the exponent 112 too small; the product repairs that, and
  // turns f16's subnormals into normal numbers on the way.
  const float scaled = std::bit_cast<float>(magnitude << 13U) * 0x1p112F;
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(scaled));
}

inline Half float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<Half>((bits >> 16U) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return sign | 0x7E00U;   // NaN
  if (magnitude >= 0x477FF000U) return sign | 0x7C00U;  // rounds to 65536 or more
  if (magnitude < 0x38800000U) {                        // below 2^-14: subnormal in f16
    // Adding 0.5 leaves a float whose last bit weighs 2^-24, the smallest step of f16: so it
    // rounds.
    const float aligned = std::bit_cast<float>(magnitude) + 0.5F;
    return sign | static_cast<Half>(std::bit_cast<std::uint32_t>(aligned) - 0x3F000000U);
  }
  const std::uint32_t rounded = magnitude + 0xFFFU + ((magnitude >> 13U) & 1U);
  return sign | static_cast<Half>((rounded >> 13U) - (112U << 10U));
}

}  // namespace kvsplit
