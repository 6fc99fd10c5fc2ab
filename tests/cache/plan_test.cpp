#include "cache/plan.h"

#include <gtest/gtest.h>

namespace kvsplit {
namespace {

constexpr int n_channels = 192;

TEST(Plan, GivesKeysAndValuesTheirOwnWidths) {
  const Precision precision = parse_precision("K8V4:sinks=0:window=0");
  for (const int layer : {0, 1, 99}) {
    EXPECT_EQ(plan_format(precision, layer, Side::key, n_channels, false),
              uniform_format(n_channels, 8, TransformKind::hadamard));
    EXPECT_EQ(plan_format(precision, layer, Side::value, n_channels, false),
              uniform_format(n_channels, 4, TransformKind::hadamard));
  }
}

TEST(Plan, RotatesUnlessToldNotTo) {
  const Precision precision = parse_precision("K8V4:rotate=0");
  EXPECT_EQ(plan_format(precision, 0, Side::key, n_channels, false).transform,
            TransformKind::identity);
  EXPECT_EQ(plan_format(precision, 0, Side::value, n_channels, false).transform,
            TransformKind::identity);
}

TEST(Plan, DoesNotRotateAgainWhatTheHostRotates) {
  const Precision precision = parse_precision("K8V8");
  EXPECT_EQ(plan_format(precision, 0, Side::key, n_channels, true),
            uniform_format(n_channels, 8, TransformKind::identity));
  EXPECT_EQ(plan_format(precision, 0, Side::value, n_channels, true),
            uniform_format(n_channels, 8, TransformKind::identity));
}

// 16 bits are the host's own f16 numbers: nothing is gained by turning them, and a session may be
// exchanged with a cache that is not packed.
TEST(Plan, LeavesSidesOf16BitsAsTheyAre) {
  const Precision precision = parse_precision("K16V4");
  EXPECT_EQ(plan_format(precision, 0, Side::key, n_channels, false),
            uniform_format(n_channels, 16, TransformKind::identity));
  EXPECT_EQ(plan_format(precision, 0, Side::value, n_channels, false).transform,
            TransformKind::hadamard);
}

}  // namespace
}  // namespace kvsplit
