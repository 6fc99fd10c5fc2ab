// What llama.cpp does to a cache between decodes: sequences removed, copied, shifted; all cleared.
#include "tests/families/families.h"

namespace kvsplit::families {
namespace {

/// A host that leaves the data says nothing to us: exact rows then get other slots than before, and
/// sums of the same numbers come in another order.
TEST_P(Families, AClearedCacheHasForgotten) {
  for (const char* const precision : {"K8V4", no_exact_rows}) {
    const std::vector<float> expected = conversation(kvsplit(), packed(precision));
    for (const bool data_too : {true, false}) {
      Session session(kvsplit(), packed(precision));
      session.decode(random_tokens(90, 400, 0, 1));
      llama_memory_clear(session.memory(), data_too);
      const std::vector<float> found = conversation(session);
      if (data_too || precision == no_exact_rows) {
        EXPECT_TRUE(found == expected) << precision << " data too: " << data_too;
      } else {
        EXPECT_LE(relative_error(found, expected), bound_of_16_bits(family()));
      }
    }
  }
}

TEST_P(Families, ARemovedTailIsForgotten) {
  const std::vector<Token> beginning = random_tokens(40, 100, 0, 0);
  const std::vector<Token> end = random_tokens(41, 50, 100, 0);
  Session straight(kvsplit(), packed(no_exact_rows));
  straight.decode(beginning);
  const std::vector<float> expected = straight.decode(end);

  Session session(kvsplit(), packed(no_exact_rows));
  session.decode(beginning);
  session.decode(random_tokens(42, 30, 100, 0));
  const bool removed = session.remove(0, 100, -1);
  EXPECT_EQ(removed, !family().recurrent);  // a recurrent state cannot be wound back
  if (removed) {
    EXPECT_TRUE(session.decode(end) == expected);
  }
}

/// Texts of one stream share its window of exact rows, so what others write moves a text's rows
/// out of it earlier: that is left off here.
CacheSettings apart(bool unified) { return packed(unified ? "K8V4:window=0" : "K8V4", unified); }

TEST_P(Families, ARemovedSequenceLeavesTheOtherAlone) {
  for (const bool unified : {true, false}) {
    Session alone(kvsplit(), apart(unified));
    alone.decode(random_tokens(50, 200, 0, 0));
    const std::vector<float> expected = alone.decode(random_tokens(51, 10, 200, 0));

    Session session(kvsplit(), apart(unified));
    session.decode(random_tokens(50, 200, 0, 0));
    session.decode(random_tokens(52, 100, 0, 1));
    ASSERT_TRUE(session.remove(1, -1, -1));
    session.decode(random_tokens(53, 100, 0, 1));  // takes over the cells
    EXPECT_LE(relative_error(session.decode(random_tokens(51, 10, 200, 0)), expected),
              bound_of_16_bits(family()))
        << "unified: " << unified;
  }
}

/// With full windows: llama.cpp does not free cells that have left the windows of two sequences.
TEST_P(Families, ACopiedSequenceGoesOnLikeTheFirst) {
  for (const bool unified : {true, false}) {
    const CacheSettings settings = with_full_windows(apart(unified));
    Session session(kvsplit(), settings);
    session.decode(random_tokens(60, 200, 0, 0));
    session.decode(random_tokens(61, 70, 0, 1));  // what a copy between streams writes over
    session.remove(1, -1, -1);
    llama_memory_seq_cp(session.memory(), 0, 1, -1, -1);

    const std::vector<float> copy = session.decode(random_tokens(62, 20, 200, 1));
    const std::vector<float> first = session.decode(random_tokens(62, 20, 200, 0));
    EXPECT_LE(relative_error(copy, first), bound_of_16_bits(family())) << "unified: " << unified;

    // From here on they differ, and neither notices.
    session.decode(random_tokens(63, 30, 220, 1));
    const std::vector<float> later = session.decode(random_tokens(64, 10, 220, 0));
    Session alone(kvsplit(), settings);
    alone.decode(random_tokens(60, 200, 0, 0));
    alone.decode(random_tokens(62, 20, 200, 0));
    EXPECT_LE(relative_error(later, alone.decode(random_tokens(64, 10, 220, 0))),
              bound_of_16_bits(family()))
        << "unified: " << unified;
  }
}

/// A prompt of 200 from which 40 tokens fall out and the rest moves up, as llama-server's context
/// shift does; a recurrent state forgets nothing, there all of it moves. Then 30 tokens.
std::vector<float> shifted_talk(const Family& family, const Model& model,
                                const CacheSettings& settings) {
  Session session(model, with_full_windows(settings));
  session.decode(random_tokens(70, 200, 0, 0));
  session.decode(random_tokens(71, 100, 0, 1));  // stays where it is
  EXPECT_TRUE(llama_memory_can_shift(session.memory()));
  llama_pos next = 240;
  if (family.recurrent) {
    session.move(0, -1, -1, 40);
  } else {
    EXPECT_TRUE(session.remove(0, 20, 60));
    session.move(0, 60, -1, -40);
    next = 160;
  }
  std::vector<float> logits = session.decode(random_tokens(72, 30, next, 0));
  const std::vector<float> other = session.decode(random_tokens(73, 30, 100, 1));
  logits.insert(logits.end(), other.begin(), other.end());
  return logits;
}

TEST_P(Families, AShiftedContextIsTheHosts) {
  if (!family().shifts) {
    GTEST_SKIP() << "llama.cpp does not";
  }
  const std::vector<float> truth = shifted_talk(family(), cpu(), exact());
  for (const bool unified : {true, false}) {
    const std::vector<float> logits = shifted_talk(family(), kvsplit(), packed("FP16", unified));
    // Keys are rounded once more after they have been turned.
    EXPECT_LE(relative_error(logits, truth), 1.5 * bound_of_16_bits(family()))
        << "unified: " << unified;
  }
  // The comparison can fail: without the shift the other 160 tokens are further away. To a state
  // alone positions are nothing.
  if (family().n_layers == 0) return;
  Session unshifted(cpu(), with_full_windows(exact()));
  unshifted.decode(random_tokens(70, 200, 0, 0));
  if (unshifted.remove(0, 20, 60)) {
    const std::vector<float> logits = unshifted.decode(random_tokens(72, 30, 200, 0));
    const std::span<const float> same_part(truth.data(), logits.size());
    EXPECT_GT(relative_error(logits, same_part), 3 * bound_of_16_bits(family()));
  }
}

/// Four-bit values outweigh what the eight-bit keys lose when they are decoded, turned and encoded
/// again: a shift may cost no more than the host's pair of types costs without one.
TEST_P(Families, AShiftHardlyCostsPackedKeys) {
  if (!family().packed() || !family().shifts) {
    GTEST_SKIP() << "stays in 16 bits, or where it is";
  }
  const double host =
      relative_error(conversation(cpu(), stock_8_and_4_bits()), conversation(cpu(), exact()));
  const std::vector<float> truth = shifted_talk(family(), cpu(), exact());
  for (const CacheSettings& settings : {packed("K8V4"), packed("K8V4", false)}) {
    EXPECT_LE(relative_error(shifted_talk(family(), kvsplit(), settings), truth), 1.5 * host);
  }
  if (family().host_rotates) {  // llama.cpp itself crashes when it shifts quantised keys of others
    EXPECT_LE(relative_error(shifted_talk(family(), kvsplit(), stock_8_and_4_bits()), truth),
              1.5 * host);
  }
}

/// As in speculative decoding: two models take turns, each with its own precision.
TEST_P(Families, TwoContextsDoNotNoticeEachOther) {
  const bool is_qwen2 = family().name == std::string("qwen2");
  const Model other(is_qwen2 ? "models/llama" : "models/qwen2", Device::kvsplit);
  const std::vector<float> expected = conversation(kvsplit(), packed("K8V4"));
  Session ours(kvsplit(), packed("K8V4"));
  Session theirs(other, packed("K4V8"));
  theirs.decode(random_tokens(80, 150, 0, 0));
  const std::vector<float> logits = conversation(ours);
  theirs.decode(random_tokens(81, 20, 150, 0));
  EXPECT_TRUE(logits == expected);
}

}  // namespace
}  // namespace kvsplit::families
