#include "codec/group_codec.h"

#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>

namespace kvsplit {
namespace {

// Sums run in eight lanes so that the compiler may use vectors without changing the order of
// additions: the bytes of a cache must be the same on every machine.
constexpr std::size_t lanes = 8;
using Lanes = std::array<float, lanes>;

float sum(const Lanes& partial) {
  return ((partial[0] + partial[4]) + (partial[1] + partial[5])) +
         ((partial[2] + partial[6]) + (partial[3] + partial[7]));
}

float largest_magnitude(std::span<const float> numbers) {
  Lanes largest{};
  for (std::size_t i = 0; i < numbers.size(); i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const float magnitude = std::fabs(numbers[i + lane]);
      largest[lane] = magnitude > largest[lane] ? magnitude : largest[lane];
    }
  }
  float result = 0;
  for (const float x : largest) result = x > result ? x : result;
  return result < half_max ? result : half_max;
}

// Number of the level next to x. Written so that NaN becomes level 0.
int nearest_level(float x, float inverse_scale, float middle, float last) {
  const float position = x * inverse_scale + (middle + 0.5F);
  const float low = position > 0.0F ? position : 0.0F;
  return static_cast<int>(low < last ? low : last);
}

// For codes found with one scale, the scale that serves them best, argmin_s Σ (x − s·z)² with
// z = code − middle, is Σ x·z / Σ z²; what it takes from the squared error Σ x² is (Σ x·z)² / Σ z².
struct Fit {
  float scale = 0;
  float gain = 0;
};

Fit fit_scale(std::span<const float> numbers, float scale, float middle, float last) {
  const float inverse = 1.0F / scale;
  Lanes xz{};
  Lanes zz{};
  for (std::size_t i = 0; i < numbers.size(); i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const float x = numbers[i + lane];
      const float z = static_cast<float>(nearest_level(x, inverse, middle, last)) - middle;
      xz[lane] += x * z;
      zz[lane] += z * z;
    }
  }
  const float product = sum(xz);
  const float square = sum(zz);  // never 0: no level lies in the middle
  return {product / square, product * product / square};
}

// Candidates put the largest number on the last level, then ever further beyond it in steps of 7 %.
// Few levels gain from clipping one number to serve the other 31; 8 bits have nothing to gain.
int n_candidates(int bits) {
  return bits <= 3 ? 5 : bits == 4 ? 4 : bits == 5 ? 2 : bits < 8 ? 1 : 0;
}

float search_scale(std::span<const float> numbers, float first, int bits, float last) {
  Fit best{first, 0};
  for (int step = 0; step < n_candidates(bits); ++step) {
    const float scale = first / (1.0F + 0.07F * static_cast<float>(step));
    const Fit fit = fit_scale(numbers, scale, code_middle(bits), last);
    if (fit.gain > best.gain) best = fit;
  }
  return best.scale;
}

}  // namespace

Half encode_group(std::span<const float> numbers, int bits, std::span<std::uint8_t> codes) {
  assert(numbers.size() == codes.size() && numbers.size() % lanes == 0);
  assert(bits >= min_coded_bits && bits <= max_coded_bits);
  const float middle = code_middle(bits);
  const auto last = static_cast<float>((1 << bits) - 1);
  const float largest = largest_magnitude(numbers);
  const float first = largest / middle;
  // At half_max there may be infinities behind it, which no scale fits.
  const bool searched = largest > 0 && largest < half_max;
  const float best = searched ? search_scale(numbers, first, bits, last) : first;

  const Half stored = float_to_half(best < half_max ? best : half_max);
  const float scale = half_to_float(stored);
  const float inverse = scale > 0 ? 1.0F / scale : 0.0F;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    codes[i] = static_cast<std::uint8_t>(nearest_level(numbers[i], inverse, middle, last));
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
