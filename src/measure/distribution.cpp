// A vocabulary has 49 to 262 thousand entries and every scored token of every cache walks it, so
// the loops are written for the vectoriser: no calls, no branches, and as many independent sums as
// a vector register has lanes, since floating-point sums may not be reordered behind our back.
#include "measure/distribution.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "base/error.h"

namespace kvsplit::measure {
namespace {

constexpr std::size_t n_lanes = 16;
constexpr std::size_t block = 1024;  // entries summed in float before they join the double sum
using Lanes = std::array<float, n_lanes>;

/// exp(x) for x <= 0 within 2 units in the last place; below -80 it is exp(-80), which no sum sees.
inline float exp_of_negative(float x) {
  constexpr float log2_e = 1.44269504F;
  constexpr float ln2_high = 0.693359375F;  // exact in 9 bits, so that n * ln2_high is exact
  constexpr float ln2_low = -2.12194440e-4F;
  constexpr float round_to_integer = 12582912.0F;  // 1.5 * 2^23
  x = x < -80.0F ? -80.0F : x;                     // this way round NaN stays NaN
  const float shifted = x * log2_e + round_to_integer;
  const float n = shifted - round_to_integer;
  const float r = (x - n * ln2_high) - n * ln2_low;  // |r| <= ln2 / 2
  float p = 1.0F / 720;                              // Taylor: the next term is below 3e-8
  p = p * r + 1.0F / 120;
  p = p * r + 1.0F / 24;
  p = p * r + 1.0F / 6;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const std::int32_t exponent = std::bit_cast<std::int32_t>(shifted) << 23;  // n, modulo 2^9
  return std::bit_cast<float>(std::bit_cast<std::int32_t>(p) + exponent);
}

float maximum(std::span<const float> x) {
  Lanes best;
  best.fill(x[0]);
  std::size_t i = 0;
  for (; i + n_lanes <= x.size(); i += n_lanes) {
    for (std::size_t lane = 0; lane < n_lanes; ++lane) {
      best[lane] = x[i + lane] > best[lane] ? x[i + lane] : best[lane];
    }
  }
  float result = *std::max_element(best.begin(), best.end());
  for (; i < x.size(); ++i) result = std::max(result, x[i]);
  return result;
}

double sum_of(const Lanes& lanes) {
  double sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

/// Σ exp(x - maximum)
double sum_of_exp(std::span<const float> x, float maximum) {
  double sum = 0;
  std::size_t i = 0;
  for (; i + n_lanes <= x.size();) {
    const std::size_t end = std::min(i + block, x.size() - n_lanes + 1);
    Lanes lanes{};
    for (; i < end; i += n_lanes) {
      for (std::size_t lane = 0; lane < n_lanes; ++lane) {
        lanes[lane] += exp_of_negative(x[i + lane] - maximum);
      }
    }
    sum += sum_of(lanes);
  }
  for (; i < x.size(); ++i) sum += exp_of_negative(x[i] - maximum);
  return sum;
}

struct Sums {
  double own = 0;       ///< Σ exp(x - max x)
  double baseline = 0;  ///< Σ exp(b - max b)
  double distance = 0;  ///< Σ exp(b - max b) · ((b - max b) - (x - max x))
};

Sums joint_sums(std::span<const float> x, float max_x, std::span<const float> b, float max_b) {
  Sums sums;
  std::size_t i = 0;
  const auto add = [&](std::size_t at, float& own, float& baseline, float& distance) {
    // The floor keeps tokens that a model forbids with -inf from making 0 · inf.
    const float own_log = x[at] - max_x < -80.0F ? -80.0F : x[at] - max_x;
    const float base_log = b[at] - max_b < -80.0F ? -80.0F : b[at] - max_b;
    const float weight = exp_of_negative(base_log);
    own += exp_of_negative(own_log);
    baseline += weight;
    distance += weight * (base_log - own_log);
  };
  while (i + n_lanes <= x.size()) {
    const std::size_t end = std::min(i + block, x.size() - n_lanes + 1);
    Lanes own{};
    Lanes baseline{};
    Lanes distance{};
    for (; i < end; i += n_lanes) {
      for (std::size_t lane = 0; lane < n_lanes; ++lane) {
        add(i + lane, own[lane], baseline[lane], distance[lane]);
      }
    }
    sums.own += sum_of(own);
    sums.baseline += sum_of(baseline);
    sums.distance += sum_of(distance);
  }
  Lanes rest{};
  for (; i < x.size(); ++i) add(i, rest[0], rest[1], rest[2]);
  sums.own += rest[0];
  sums.baseline += rest[1];
  sums.distance += rest[2];
  return sums;
}

std::size_t first_of(std::span<const float> x, float value) {
  return static_cast<std::size_t>(std::find(x.begin(), x.end(), value) - x.begin());
}

void check(double value) {
  if (!std::isfinite(value)) throw Error("the model's logits are not numbers (NaN or infinite)");
}

}  // namespace

double log_likelihood(std::span<const float> logits, int token) {
  const float max_logit = maximum(logits);
  const double result = static_cast<double>(logits[static_cast<std::size_t>(token)]) - max_logit -
                        std::log(sum_of_exp(logits, max_logit));
  check(result);
  return result;
}

Divergence compare(std::span<const float> logits, std::span<const float> baseline, int token) {
  const float max_logit = maximum(logits);
  const float max_baseline = maximum(baseline);
  const Sums sums = joint_sums(logits, max_logit, baseline, max_baseline);
  Divergence result;
  result.log_likelihood =
      static_cast<double>(logits[static_cast<std::size_t>(token)]) - max_logit - std::log(sums.own);
  // Σ p (ln p - ln q) with p = exp(b - max b) / Σ, q likewise: what the maxima add cancels.
  result.kl = sums.distance / sums.baseline + std::log(sums.own / sums.baseline);
  result.same_top = first_of(logits, max_logit) == first_of(baseline, max_baseline);
  check(result.log_likelihood);
  check(result.kl);
  return result;
}

}  // namespace kvsplit::measure
