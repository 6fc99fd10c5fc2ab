#include "codec/half_group.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace kvsplit {
namespace {

Half finite_half(float x) {
  return std::isnan(x) ? Half{0} : float_to_half(std::clamp(x, -half_max, half_max));
}

}  // namespace

void put_halves(std::byte* tile, Side side, int t, std::span<const float> numbers) {
  for (int c = 0; c < group_channels; ++c) {
    const Half half = finite_half(numbers[static_cast<std::size_t>(c)]);
    std::memcpy(half_at(tile, side, t, c), &half, sizeof(half));
  }
}

void get_halves(const std::byte* tile, Side side, int t, std::span<float> numbers) {
  for (int c = 0; c < group_channels; ++c) {
    Half half = 0;
    std::memcpy(&half, half_at(tile, side, t, c), sizeof(half));
    numbers[static_cast<std::size_t>(c)] = half_to_float(half);
  }
}

}  // namespace kvsplit
