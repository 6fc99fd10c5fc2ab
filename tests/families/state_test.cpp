// Sessions: saved and restored bit for bit, whole and per sequence; refused when they are another
// precision's.
#include "tests/families/families.h"

namespace kvsplit::families {
namespace {

std::vector<Token> one_step_of_both() {
  return joined(random_tokens(3, 1, 300, 0), random_tokens(4, 1, 150, 1));
}

void fill(Session& session) {
  session.decode(random_tokens(1, 300, 0, 0));
  session.decode(random_tokens(2, 150, 0, 1));
}

/// The host restores cells in order and without gaps. After a sliding window has gone round they
/// stood otherwise, and sums of the same numbers come in another order.
void expect_same(const Family& family, const std::vector<float>& logits,
                 const std::vector<float>& expected) {
  if (family.windows) {
    EXPECT_LE(relative_error(logits, expected), bound_of_16_bits(family));
  } else {
    EXPECT_TRUE(logits == expected) << "off by " << relative_error(logits, expected);
  }
}

TEST_P(Families, ARestoredStateIsBitIdentical) {
  for (const bool unified : {true, false}) {
    Session saved(kvsplit(), packed("K8V4", unified));
    fill(saved);
    const std::vector<std::uint8_t> state = saved.state();
    const std::vector<float> expected = saved.decode(one_step_of_both());

    Session restored(kvsplit(), packed("K8V4", unified));
    restored.decode(random_tokens(9, 77, 0, 0));
    ASSERT_TRUE(restored.restore(state)) << take_log();
    EXPECT_TRUE(restored.state() == state) << "unified: " << unified;
    expect_same(family(), restored.decode(one_step_of_both()), expected);
  }
}

/// Exact rows say which slot they were in, and first tokens get another where there is a text
/// already.
TEST_P(Families, ASequenceMovesBetweenSessionsBitForBit) {
  for (const auto& [precision, unified] :
       {std::pair("K8V4", true), {"K8V4", false}, {no_exact_rows, true}}) {
    Session saved(kvsplit(), packed(precision, unified));
    fill(saved);
    const std::vector<std::uint8_t> state = saved.sequence_state(0);
    const std::vector<float> expected = saved.decode(random_tokens(3, 5, 300, 0));

    Session other(kvsplit(), packed(precision, unified));
    other.decode(random_tokens(8, 90, 0, 0));
    ASSERT_TRUE(other.restore_sequence(state, 1)) << take_log();
    Session back(kvsplit(), packed(precision, unified));
    ASSERT_TRUE(back.restore_sequence(other.sequence_state(1), 0)) << take_log();
    const bool same_slots = !unified || precision == no_exact_rows || family().first_position > 0;
    EXPECT_EQ(back.sequence_state(0) == state, same_slots || !family().packed()) << precision;
    EXPECT_LE(relative_error(other.decode(random_tokens(3, 5, 300, 1)), expected),
              bound_of_16_bits(family()))
        << "unified: " << unified;
  }
}

/// Restoring cannot fail in the host once it has begun: what must not happen is that somebody
/// reads such rows. And the context must be usable afterwards.
TEST_P(Families, AStateOfAnotherPrecisionIsRefused) {
  if (!family().packed()) {
    GTEST_SKIP() << "stays in 16 bits, whatever was asked";
  }
  for (const char* precision : {"K4V4", "K8V8", "FP16"}) {
    Session saved(kvsplit(), packed(precision));
    fill(saved);
    Session session(kvsplit(), packed("K8V4"));
    take_log();
    const bool restored = session.restore(saved.state());
    EXPECT_FALSE(restored && session.try_decode(one_step_of_both())) << precision;
    EXPECT_NE(take_log().find("kvsplit"), std::string::npos) << precision;

    llama_memory_clear(session.memory(), true);
    EXPECT_TRUE(conversation(session) == conversation(kvsplit(), packed("K8V4"))) << precision;
  }
}

TEST_P(Families, ARestoreOfTheRightStateMakesARefusalGood) {
  Session saved(kvsplit(), packed("K8V4"));
  fill(saved);
  const std::vector<std::uint8_t> right = saved.state();
  const std::vector<float> expected = saved.decode(one_step_of_both());
  Session wrong(kvsplit(), packed("K4V4"));
  fill(wrong);

  Session session(kvsplit(), packed("K8V4"));
  session.restore(wrong.state());
  ASSERT_TRUE(session.restore(right)) << take_log();
  expect_same(family(), session.decode(one_step_of_both()), expected);
}

/// With 16 bits our rows are llama.cpp's own, so sessions are exchanged with the CPU device.
TEST_P(Families, SixteenBitSessionsAreExchangedWithTheHost) {
  Session stock(cpu(), CacheSettings{});
  fill(stock);
  const std::vector<std::uint8_t> state = stock.state();
  const std::vector<float> expected = stock.decode(one_step_of_both());

  Session ours(kvsplit(), packed("FP16"));
  ASSERT_TRUE(ours.restore(state)) << take_log();
  EXPECT_TRUE(ours.state() == state);
  EXPECT_LE(relative_error(ours.decode(one_step_of_both()), expected),
            2 * bound_of_16_bits(family()));

  Session back(cpu(), CacheSettings{});
  Session again(kvsplit(), packed("FP16"));
  fill(again);
  ASSERT_TRUE(back.restore(again.state())) << take_log();
  EXPECT_LE(relative_error(back.decode(one_step_of_both()), expected),
            2 * bound_of_16_bits(family()));
}

}  // namespace
}  // namespace kvsplit::families
