#include "codec/group_codec.h"

#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>

namespace kvsplit {
namespace {

// Squares are summed in eight lanes so that the compiler may use vectors without changing the
// order of additions: the bytes of a cache must be the same on every machine.
constexpr std::size_t lanes = 8;

template <typename Term>
float sum_in_lanes(std::size_t n, Term term) {
  std::array<float, lanes> partial{};
  for (std::size_t i = 0; i < n; i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) partial[lane] += term(i + lane);
  }
  float sum = 0;
  for (const float part : partial) sum += part;
  return sum;
}

float largest_magnitude(std::span<const float> numbers) {
  float largest = 0;
  for (const float x : numbers) {
    const float magnitude = std::fabs(x);
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest < half_max ? largest : half_max;
}

// The level next to x, as a float. Written so that NaN becomes level 0.
float nearest_level(float x, float inverse_scale, float middle, float last) {
  const float position = x * inverse_scale + middle + 0.5F;
  const float low = position >= 0 ? position : 0;
  return static_cast<float>(static_cast<int>(low < last ? low : last));
}

struct Quantiser {
  float middle;
  float last;
};

float squared_error(std::span<const float> numbers, float scale, const Quantiser& q) {
  const float inverse = 1.0F / scale;
  return sum_in_lanes(numbers.size(), [&](std::size_t i) {
    const float level = nearest_level(numbers[i], inverse, q.middle, q.last);
    const float error = numbers[i] - scale * (level - q.middle);
    return error * error;
  });
}

// How far beyond the last level the search lets the largest number lie, in steps of 4 %. Few levels
// gain from clipping one number to serve the other 31; at 6 bits and more nothing is left to gain.
int n_candidates(int bits) { return bits <= 3 ? 8 : bits == 4 ? 6 : bits == 5 ? 4 : 1; }

// argmin over s of Σ (x − s·z)², z = code − middle:  s = Σ x·z / Σ z².
float least_squares_scale(std::span<const float> numbers, float scale, const Quantiser& q) {
  const float inverse = 1.0F / scale;
  const auto z = [&](std::size_t i) {
    return nearest_level(numbers[i], inverse, q.middle, q.last) - q.middle;
  };
  const float xz = sum_in_lanes(numbers.size(), [&](std::size_t i) { return numbers[i] * z(i); });
  const float zz = sum_in_lanes(numbers.size(), [&](std::size_t i) { return z(i) * z(i); });
  return xz > 0 ? xz / zz : scale;
}

}  // namespace

Half encode_group(std::span<const float> numbers, int bits, std::span<std::uint8_t> codes) {
  assert(numbers.size() == codes.size() && numbers.size() % lanes == 0);
  assert(bits >= min_coded_bits && bits <= max_coded_bits);
  const Quantiser q{code_middle(bits), static_cast<float>((1 << bits) - 1)};
  const float largest = largest_magnitude(numbers);
  const float first = largest / (q.middle > 0 ? q.middle : 1);

  float best = first;
  const int candidates = n_candidates(bits);
  if (candidates > 1 && first > 0) {
    float least = squared_error(numbers, first, q);
    for (int step = 1; step < candidates; ++step) {
      const float scale = first / (1.0F + 0.04F * static_cast<float>(step));
      const float error = squared_error(numbers, scale, q);
      if (error < least) {
        least = error;
        best = scale;
      }
    }
    best = least_squares_scale(numbers, best, q);
  }

  const Half stored = float_to_half(best < half_max ? best : half_max);
  const float scale = half_to_float(stored);
  const float inverse = scale > 0 ? 1.0F / scale : 0.0F;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    codes[i] = static_cast<std::uint8_t>(nearest_level(numbers[i], inverse, q.middle, q.last));
  }
  return stored;
}

void decode_group(std::span<const std::uint8_t> codes, int bits, Half scale,
                  std::span<float> numbers) {
  const float step = half_to_float(scale);
  const float middle = code_middle(bits);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    numbers[i] = step * (static_cast<float>(codes[i]) - middle);
  }
}

}  // namespace kvsplit
