#pragma once

#include <cstdint>
#include <span>

#include "kernels/scale_code.h"

// How the numbers of one group of one token become codes: a uniform mid-rise quantiser.
//
//   2^bits levels, none at zero:   x̂ = scale · (code − (2^bits − 1) / 2),  code in 0 … 2^bits − 1
//   scale: one byte per group and token, or half of one (kernels/scale_code.h)
//
// The scale is searched: from the smallest that has the largest number within its last level down
// to some that clip it, the one with the least squared error is taken; with 8 bits the first.
// |x − x̂| ≤ scale / 2 where |x| ≤ scale · 2^(bits−1).
// All-in cost: bits + 8 / 16 per number, or + 4 / 16.
namespace kvsplit {

inline constexpr int min_coded_bits = 1;
inline constexpr int max_coded_bits = 8;

/// Which scale codes are used: lowest, lowest + step … highest.
struct ScaleCodes {
  int lowest = 0, step = 1, highest = max_scale_code;
};
inline constexpr ScaleCodes even_scale_codes{0, 2, max_scale_code - 1};

/// Quantises the numbers of a group, a multiple of 8 of them. codes: one per number. Returns the
/// scale's code. What no scale reaches, infinities too, is taken as the last level, NaN as the
/// lowest.
std::uint8_t encode_group(std::span<const float> numbers, int bits, std::span<std::uint16_t> codes,
                          const ScaleCodes& scales = {});

/// The numbers that codes stand for.
void decode_group(std::span<const std::uint16_t> codes, int bits, std::uint8_t scale,
                  std::span<float> numbers);

/// Middle of the code range: x̂ = scale · (code − code_middle(bits)).
constexpr float code_middle(int bits) { return static_cast<float>((1 << bits) - 1) / 2; }

}  // namespace kvsplit
