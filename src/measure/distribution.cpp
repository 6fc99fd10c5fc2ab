#include "measure/distribution.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "base/error.h"

namespace kvsplit::measure {
namespace {

/// exp(x) for -80 <= x <= 0 within 2 units in the last place. A vocabulary has 49 to 262 thousand
/// entries and every scored token of every cache walks it: so it is no call, and has no branches.
inline float exp_of_negative(float x) {
  constexpr float log2_e = 1.44269504F;
  constexpr float ln2_high = 0.693359375F;  // exact in 9 bits, so that n * ln2_high is exact
  constexpr float ln2_low = -2.12194440e-4F;
  constexpr float round_to_integer = 12582912.0F;  // 1.5 * 2^23
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

}  // namespace

Divergence compare(std::span<const float> logits, std::span<const float> baseline, int token) {
  const auto top = std::max_element(logits.begin(), logits.end());
  const auto baseline_top = std::max_element(baseline.begin(), baseline.end());
  double sum = 0;           // Σ exp(x - max x)
  double baseline_sum = 0;  // Σ exp(b - max b)
  double distance = 0;      // Σ exp(b - max b) · ((b - max b) - (x - max x))
  for (std::size_t i = 0; i < logits.size(); ++i) {
    // The floor, which no sum sees, keeps tokens that a model forbids with -inf from making
    // 0 · inf. Of these two std::max() returns the first where it is NaN.
    const float log = std::max(logits[i] - *top, -80.0F);
    const float baseline_log = std::max(baseline[i] - *baseline_top, -80.0F);
    const float weight = exp_of_negative(baseline_log);
    sum += exp_of_negative(log);
    baseline_sum += weight;
    distance += weight * (baseline_log - log);
  }
  Divergence result;
  result.log_likelihood = static_cast<double>(logits[token]) - *top - std::log(sum);
  // Σ p (ln p - ln q) with p = exp(b - max b) / Σ, q likewise: what the maxima add cancels.
  result.kl = distance / baseline_sum + std::log(sum / baseline_sum);
  result.same_top = top - logits.begin() == baseline_top - baseline.begin();
  if (!std::isfinite(result.log_likelihood) || !std::isfinite(result.kl)) {
    throw Error("the model's logits are not numbers (NaN or infinite)");
  }
  return result;
}

}  // namespace kvsplit::measure
