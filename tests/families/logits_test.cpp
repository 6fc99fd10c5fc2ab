// Logits of every family: a 16-bit cache of ours beside the host's, and what fewer bits cost.
#include <cstdio>
#include <span>

#include "plugin/plugin.h"
#include "tests/families/families.h"

namespace kvsplit::families {
namespace {

TEST_P(Families, SixteenBitsAreAsExactAsTheHosts) {
  const std::vector<float> truth = conversation(cpu(), exact());
  const std::vector<float> stock = conversation(cpu(), CacheSettings{});
  for (const bool unified : {true, false}) {
    const std::vector<float> logits = conversation(kvsplit(), packed("FP16", unified));
    const double error = relative_error(logits, truth);
    EXPECT_LE(error, bound_of_16_bits(family())) << "unified: " << unified;
    // The host's flash attention sums values in 16 bits; we have no such excuse.
    EXPECT_LE(error, 1.25 * relative_error(stock, truth)) << "unified: " << unified;
    EXPECT_LE(relative_error(logits, stock), 2 * bound_of_16_bits(family()));
  }
}

TEST_P(Families, AllTensorsThatCanBePackedAre) {
  reset_allocated();
  conversation(kvsplit(), packed(no_exact_rows));
  expect_allocated(family());
  const CacheSum allocated = plugin::allocated();
  if (family().packed()) {
    EXPECT_LE(8.0 * allocated.k_bytes / allocated.k_numbers, 8.5);
    EXPECT_LE(8.0 * allocated.v_bytes / allocated.v_numbers, 4.5);
  } else {
    EXPECT_EQ(allocated.bytes(), allocated.fp16_bytes());
  }
}

/// The comparison above can fail: 2 bits go far over its bound, and so do 8.
TEST_P(Families, FewerBitsAreSeenInTheLogits) {
  const std::vector<float> truth = conversation(cpu(), exact());
  if (!family().packed()) {
    EXPECT_TRUE(conversation(kvsplit(), packed("K2V2")) == conversation(kvsplit(), packed("FP16")));
    return;
  }
  double last = bound_of_16_bits(family());
  for (const char* precision : {"K8V8", "K8V4", "K4V4", "K2V2"}) {
    const double error = relative_error(conversation(kvsplit(), packed(precision)), truth);
    std::printf("%s: logits at %s are off by %.4f of their size\n", family().name, precision,
                error);
    RecordProperty(precision, std::to_string(error));
    EXPECT_GT(error, last) << precision;
    last = error;
  }
}

/// The yardstick for K8V4 is llama.cpp's own pair of the same bits, on its own device; and where
/// llama.cpp thinks that it has these types (and rotates rows itself), nothing gets worse.
TEST_P(Families, EightAndFourBitsAreNoWorseThanTheHosts) {
  if (!family().packed()) {
    GTEST_SKIP() << "stays in 16 bits";
  }
  const std::vector<float> truth = conversation(cpu(), exact());
  const double host = relative_error(conversation(cpu(), stock_8_and_4_bits()), truth);
  EXPECT_LE(relative_error(conversation(kvsplit(), packed("K8V4")), truth), 1.5 * host);
  EXPECT_LE(relative_error(conversation(kvsplit(), packed("K8V4", false)), truth), 1.5 * host);
  EXPECT_LE(relative_error(conversation(kvsplit(), stock_8_and_4_bits()), truth), 1.5 * host);
}

/// The host's own attention adds parts in another order with another number of threads; ours not.
TEST_P(Families, ThreadsChangeNothing) {
  CacheSettings settings = packed("K8V4");
  const std::vector<float> alone = conversation(kvsplit(), settings);
  settings.n_threads = 3;
  const std::vector<float> together = conversation(kvsplit(), settings);
  if (family().packed()) {
    EXPECT_TRUE(together == alone) << "off by " << relative_error(together, alone);
  } else {
    EXPECT_LE(relative_error(together, alone), bound_of_16_bits(family()));
  }
}

std::vector<float> said_in_pieces(const Model& model, int n_at_once) {
  Session session(model, packed("K4V4"));
  std::vector<float> logits;
  for (int first = 0; first < 240; first += n_at_once) {
    const std::vector<Token> all = random_tokens(1, 240, 0, 0);
    const std::vector<float> more =
        session.decode(std::span(all).subspan(first, static_cast<std::size_t>(n_at_once)));
    logits.insert(logits.end(), more.begin(), more.end());
  }
  return logits;
}

/// A token's result depends on nothing but what it sees: with pieces of these sizes the host's own
/// products are the same, bit for bit, and so must be what lies in caches and comes out of them.
TEST_P(Families, HowATextIsCutChangesNothing) {
  if (!family().packed()) {
    GTEST_SKIP() << "the host's attention rounds otherwise in other pieces";
  }
  const std::vector<float> logits = said_in_pieces(kvsplit(), 120);
  const std::vector<float> cut = said_in_pieces(kvsplit(), 40);
  EXPECT_TRUE(cut == logits) << "off by " << relative_error(cut, logits);
}

INSTANTIATE_TEST_SUITE_P(All, Families, testing::ValuesIn(all_families), test_name);

}  // namespace
}  // namespace kvsplit::families
