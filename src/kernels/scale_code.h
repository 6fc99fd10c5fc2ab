#pragma once

#include <bit>
#include <cstdint>

/// The scale of 16 numbers of one token, in a byte: a float without sign, five bits of exponent
/// over three of mantissa. With e = code / 8 and m = code % 8, for numbers of `bits` bits
///
///   scale = (1 + m / 8) · 2^(e − 15 − bits)
///
/// so that the last level, scale · (2^bits − 1) / 2, reaches from about 2^-16 to nearly all that
/// f16 can hold, whatever the width. There is no 0: numbers below the smallest scale become ± half
/// of it. Steps of 6 to 12 % cost nothing that shows, as codes are made for the scale that is
/// stored.
///
/// Where it is known from calibration how large a group's numbers are, half a byte is enough: a
/// short code n stands for the code base + 3n, so that scales reach over 5.6 octaves in steps of 30
/// percent. Short codes of 64 rows are 32 bytes: byte t holds row t in its low half, row t + 32 in
/// its high one.
namespace kvsplit {

inline constexpr int max_scale_code = 255;
inline constexpr int short_scale_step = 3;
inline constexpr int max_short_scale = 15;

/// The bits of the float that code 0 stands for: those of code c are c · 2^20 more.
constexpr std::uint32_t lowest_scale_bits(int bits) {
  return static_cast<std::uint32_t>(127 - 15 - bits) << 23U;
}

constexpr float scale_value(std::uint8_t code, int bits) {
  return std::bit_cast<float>(lowest_scale_bits(bits) + (std::uint32_t{code} << 20U));
}

}  // namespace kvsplit
