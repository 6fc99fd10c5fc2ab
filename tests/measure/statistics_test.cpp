#include "measure/speed.h"

#include <gtest/gtest.h>

#include <vector>

namespace kvsplit::measure {
namespace {

Rate rate_of(const std::vector<double>& rounds, const std::vector<double>& baseline) {
  return rate(rounds, baseline);
}

TEST(Rate, OfOneRoundIsThatRound) {
  const Rate found = rate_of({50}, {40});
  EXPECT_EQ(found.median, 50);
  EXPECT_EQ(found.min, 50);
  EXPECT_EQ(found.max, 50);
  EXPECT_EQ(found.ratio, 1.25);
}

TEST(Rate, DoesNotDependOnTheOrderOfRounds) {
  const Rate found = rate_of({30, 10, 20}, {30, 10, 20});
  EXPECT_EQ(found.median, 20);
  EXPECT_EQ(found.min, 10);
  EXPECT_EQ(found.max, 30);
  EXPECT_EQ(found.ratio, 1);
}

TEST(Rate, OfAnEvenNumberOfRoundsIsTheMeanOfTheMiddleTwo) {
  EXPECT_EQ(rate_of({10, 40, 20, 100}, {1, 1, 1, 1}).median, 30);
}

TEST(Rate, RatioIsOfTheSameRounds) {
  // Twice as fast in each round, on a machine that was slower in one of them: medians alone would
  // say 40 / 10.
  EXPECT_EQ(rate_of({40, 40, 20}, {20, 20, 10}).ratio, 2);
  const Rate found = rate_of({20, 40, 60}, {10, 10, 60});
  EXPECT_EQ(found.ratio, 2);
  EXPECT_NE(found.ratio, found.median / 10);
}

TEST(Rate, RatioLeavesOutRoundsThatOnlyOneHas) {
  EXPECT_EQ(rate_of({30, 10, 10}, {10}).ratio, 3);
  EXPECT_EQ(rate_of({30}, {10, 30, 30}).ratio, 3);
}

}  // namespace
}  // namespace kvsplit::measure
