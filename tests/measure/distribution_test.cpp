#include "measure/comparison.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "base/error.h"

namespace kvsplit::measure {
namespace {

std::vector<float> random_logits(std::size_t n, unsigned seed, float spread) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> logits(n);
  for (float& logit : logits) logit = normal(generator);
  return logits;
}

/// The definition, in double precision and in the order in which it is written in books.
struct Reference {
  std::vector<double> p;

  explicit Reference(const std::vector<float>& logits) {
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
    for (const float logit : logits) p.push_back(std::exp(static_cast<double>(logit)) / sum);
  }
};

double reference_kl(const Reference& from, const Reference& to) {
  double kl = 0;
  for (std::size_t i = 0; i < from.p.size(); ++i) {
    kl += from.p[i] * (std::log(from.p[i]) - std::log(to.p[i]));
  }
  return kl;
}

TEST(Distribution, DivergesFromItselfByNothing) {
  const std::vector<float> logits = random_logits(49152, 1, 3);
  const Divergence found = compare(logits, logits, 7);
  EXPECT_EQ(found.kl, 0);
  EXPECT_TRUE(found.same_top);
  EXPECT_NEAR(found.log_likelihood, std::log(Reference(logits).p[7]), 2e-6);
}

TEST(Distribution, OfTwoTokensIsAsComputedByHand) {
  // p = (3/4, 1/4), q = (1/2, 1/2): KL(p ‖ q) = 3/4 ln 3/2 + 1/4 ln 1/2, ln q(0) = -ln 2
  const std::vector<float> baseline = {std::log(3.0F), 0.0F};
  const std::vector<float> logits = {5.0F, 5.0F};
  const Divergence found = compare(logits, baseline, 0);
  EXPECT_NEAR(found.kl, 0.75 * std::log(1.5) + 0.25 * std::log(0.5), 1e-6);
  EXPECT_NEAR(found.log_likelihood, -std::log(2.0), 1e-6);
  EXPECT_TRUE(found.same_top) << "of equals the first is the top";
}

TEST(Distribution, AgreesWithTheDefinitionForAnyLength) {
  for (const std::size_t n : {1, 2, 15, 16, 17, 1023, 1024, 1025, 1040, 49152, 50257}) {
    const std::vector<float> baseline = random_logits(n, 2, 4);
    std::vector<float> logits = random_logits(n, 3, 0.3F);
    for (std::size_t i = 0; i < n; ++i) logits[i] += baseline[i];
    const int token = static_cast<int>(n) - 1;
    const Divergence found = compare(logits, baseline, token);
    const Reference p(baseline);
    const Reference q(logits);
    // Terms in float, sums in double: a few units of 2^-24 relative to 1.
    EXPECT_NEAR(found.kl, reference_kl(p, q), 2e-6) << n;
    EXPECT_NEAR(found.log_likelihood, std::log(q.p[n - 1]), 2e-6) << n;
  }
}

TEST(Distribution, SmallDivergencesAreNotLostInRounding) {
  const std::vector<float> baseline = random_logits(49152, 4, 4);
  std::vector<float> logits = random_logits(49152, 5, 0.01F);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] += baseline[i];
  const double expected = reference_kl(Reference(baseline), Reference(logits));
  ASSERT_LT(expected, 1e-4);
  EXPECT_NEAR(compare(logits, baseline, 0).kl, expected, 0.02 * expected);
}

TEST(Distribution, NoticesAnotherTop) {
  const std::vector<float> baseline = {0, 3, 1};
  const std::vector<float> logits = {0, 2, 2.5};
  EXPECT_FALSE(compare(logits, baseline, 0).same_top);
}

TEST(Distribution, TakesForbiddenTokens) {
  const float never = -std::numeric_limits<float>::infinity();
  const std::vector<float> baseline = {std::log(3.0F), 0.0F, never};
  const std::vector<float> logits = {0.0F, 0.0F, never};
  EXPECT_NEAR(compare(logits, baseline, 0).kl, 0.75 * std::log(1.5) + 0.25 * std::log(0.5), 1e-6);
}

TEST(Distribution, RefusesWhatIsNotANumber) {
  const std::vector<float> baseline(100, 1.0F);
  for (const std::size_t at : {0, 50, 99}) {
    std::vector<float> logits = baseline;
    logits[at] = std::nanf("");
    EXPECT_THROW(compare(logits, baseline, 1), Error) << at;
    EXPECT_THROW(compare(logits, logits, 1), Error) << at;
  }
}

}  // namespace
}  // namespace kvsplit::measure
