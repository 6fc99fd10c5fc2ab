#include "codec/rotation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace kvsplit {
namespace {

// sin(2π·u) for |u| <= 1/4: the series to the eleventh power, error below 1e-7.
float sine_of_turns(float u) {
  const float x = u * (2 * std::numbers::pi_v<float>);
  const float y = x * x;
  float p = -2.50521084e-8F;
  p = p * y + 2.75573192e-6F;
  p = p * y - 1.98412698e-4F;
  p = p * y + 8.33333333e-3F;
  p = p * y - 1.66666667e-1F;
  return x + x * y * p;
}

constexpr double rounding = 0x1.8p52;  // doubles of its size are integers

}  // namespace

Rotation rotation_of(const RopeParameters& rope) {
  Rotation rotation{rope.neighbours, {}};
  for (int i = 0; i < rope.n_dims / 2; ++i) {
    const double exponent = -2.0 * i / rope.n_dims;
    const auto fast = static_cast<float>(std::pow(rope.freq_base, exponent)) /
                      (rope.freq_factors == nullptr ? 1.0F : rope.freq_factors[i]);
    float share = 0;  // that is not slowed down
    if (rope.ext_factor != 0) {
      const float range = std::max(0.001F, rope.ramp_end - rope.ramp_begin);
      const float ramp = (static_cast<float>(i) - rope.ramp_begin) / range;
      share = (1 - std::clamp(ramp, 0.0F, 1.0F)) * rope.ext_factor;
    }
    rotation.angles.push_back(fast * (rope.freq_scale * (1 - share) + share));
  }
  return rotation;
}

Turn turn_of(const Rotation& rotation, int position) {
  Turn turn;  // NOLINT(*-member-init): as many planes as there are
  for (std::size_t i = 0; i < rotation.angles.size(); ++i) {
    const double turns = position * (rotation.angles[i] * (0.5 / std::numbers::pi));
    const double nearest = (turns + rounding) - rounding;
    const auto part = static_cast<float>(turns - nearest);  // -1/2 … 1/2
    const float size = std::fabs(part);
    turn.sin[i] = sine_of_turns(size > 0.25F ? std::copysign(0.5F - size, part) : part);
    turn.cos[i] = sine_of_turns(0.25F - size);
  }
  return turn;
}

void turn_head(const Rotation& rotation, const Turn& turn, std::span<float> head, float direction) {
  const std::size_t n = rotation.angles.size();
  const std::size_t step = rotation.neighbours ? 2 : 1;
  const std::size_t apart = rotation.neighbours ? 1 : n;
  for (std::size_t i = 0; i < n; ++i) {
    float& x = head[i * step];
    float& y = head[i * step + apart];
    const float sin = direction * turn.sin[i];
    const float turned = x * turn.cos[i] - y * sin;
    y = x * sin + y * turn.cos[i];
    x = turned;
  }
}

}  // namespace kvsplit
