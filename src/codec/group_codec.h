#pragma once

#include <cstdint>
#include <span>

#include "base/half.h"

// How the numbers of one group of one token become codes: a uniform mid-rise quantiser.
//
//   2^bits levels, none at zero:   x̂ = scale · (code − (2^bits − 1) / 2),  code in 0 … 2^bits − 1
//   scale: f16, one per group and token, never negative; 0 means that all numbers are 0
//
// The scale is searched: some candidates from "the largest number is the last level" to finer steps
// that clip it; each is refined to the least-squares scale of its codes, and the best is taken.
// |x − x̂| ≤ scale / 2 where |x| ≤ scale · 2^(bits−1), give or take f16's rounding of the scale.
// All-in cost: bits + 16 / n_channels per number; 0.5 beyond the width for groups of 32.
namespace kvsplit {

inline constexpr int min_coded_bits = 1;
inline constexpr int max_coded_bits = 8;

/// Quantises the numbers of a group. codes: one per number. Returns the scale.
/// What f16 cannot hold, infinities too, is taken as its largest number, NaN as the lowest level.
Half encode_group(std::span<const float> numbers, int bits, std::span<std::uint8_t> codes);

/// The numbers that codes stand for.
void decode_group(std::span<const std::uint8_t> codes, int bits, Half scale,
                  std::span<float> numbers);

/// Middle of the code range: x̂ = scale · (code − code_middle(bits)).
constexpr float code_middle(int bits) { return static_cast<float>((1 << bits) - 1) / 2; }

}  // namespace kvsplit
