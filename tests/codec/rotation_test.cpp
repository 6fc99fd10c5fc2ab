// The host's rotary embedding, as far as it turns planes. That the angles are the host's own is
// shown in tests/plugin/rope_test.cpp.
#include "codec/rotation.h"

#include <gtest/gtest.h>

#include <cmath>

namespace kvsplit {
namespace {

Rotation rotation(bool neighbours) {
  return rotation_of({.n_dims = 32, .neighbours = neighbours, .freq_base = 10000});
}

std::vector<float> counted(std::size_t n) {
  std::vector<float> numbers(n);
  for (std::size_t i = 0; i < n; ++i) numbers[i] = static_cast<float>(i % 7) - 2.5F;
  return numbers;
}

TEST(Rotation, TurnsEachPlaneByItsAngle) {
  for (const bool neighbours : {false, true}) {
    const Rotation r = rotation(neighbours);
    for (const int position : {0, 1, 63, 1000, 32767, 1000000, -5}) {
      const Turn turn = turn_of(r, position);
      const std::vector<float> before = counted(48);
      std::vector<float> after = before;
      turn_head(r, turn, after);
      for (std::size_t i = 0; i < 16; ++i) {
        const std::size_t x = neighbours ? 2 * i : i;
        const std::size_t y = neighbours ? 2 * i + 1 : i + 16;
        const double angle = position * double{r.angles[i]};
        EXPECT_NEAR(after[x], before[x] * std::cos(angle) - before[y] * std::sin(angle), 2e-6);
        EXPECT_NEAR(after[y], before[x] * std::sin(angle) + before[y] * std::cos(angle), 2e-6);
      }
      for (std::size_t c = 32; c < 48; ++c) EXPECT_EQ(after[c], before[c]) << "beyond n_dims";
    }
  }
}

TEST(Rotation, BackIsTheOtherWay) {
  const Rotation r = rotation(true);
  const Turn turn = turn_of(r, 4711);
  std::vector<float> numbers = counted(32);
  turn_head(r, turn, numbers);
  turn_head(r, turn, numbers, -1);
  for (std::size_t c = 0; c < 32; ++c) EXPECT_NEAR(numbers[c], counted(32)[c], 2e-6);
}

TEST(Rotation, WithoutPlanesNothingTurns) {
  std::vector<float> numbers = counted(32);
  const Turn turn = turn_of({}, 99);
  turn_head({}, turn, numbers);
  EXPECT_EQ(numbers, counted(32));
}

}  // namespace
}  // namespace kvsplit
