// Models that encode: they keep nothing, or what no flash attention reads. Nothing may change.
#include "tests/families/families.h"

namespace kvsplit::families {
namespace {

Model load_encoder(const char* name, Device device) {
  return {std::string("encoders/") + name, device};
}

/// What tokens without a cache see of each other does not go through our device's attention.
TEST(Encoders, BertIsTheHosts) {
  const Model cpu = load_encoder("bert", Device::cpu);
  const Model kvsplit = load_encoder("bert", Device::kvsplit);
  const std::vector<Token> both = joined(random_tokens(1, 70, 0, 0), random_tokens(2, 50, 0, 1));
  const std::vector<float> expected = Session(cpu, CacheSettings{}).encode(both);
  for (const char* precision : {"FP16", "K2V2"}) {
    reset_allocated();
    EXPECT_TRUE(Session(kvsplit, packed(precision)).encode(both) == expected) << precision;
    expect_allocated(encoders[0]);
  }
  // The comparison can fail: another text is something else.
  EXPECT_FALSE(Session(kvsplit, packed("FP16")).encode(random_tokens(3, 120, 0, 0)) == expected);
}

/// Embeddings of a text that is encoded, and logits of what is said to it.
std::vector<float> translation(const Model& model, const CacheSettings& settings) {
  Session session(model, settings);
  std::vector<float> numbers = session.encode(random_tokens(1, 60, 0, 0));
  for (const auto& [n, first] : {std::pair(200, 0), {1, 200}, {1, 201}, {20, 202}}) {
    const std::vector<float> more = session.decode(random_tokens(10 + first, n, first, 0));
    numbers.insert(numbers.end(), more.begin(), more.end());
  }
  return numbers;
}

TEST(Encoders, T5IsTheHosts) {
  const Model cpu = load_encoder("t5", Device::cpu);
  const Model kvsplit = load_encoder("t5", Device::kvsplit);
  const std::vector<float> expected = translation(cpu, CacheSettings{});
  for (const char* precision : {"FP16", "K2V2"}) {
    reset_allocated();
    EXPECT_TRUE(translation(kvsplit, packed(precision)) == expected) << precision;
    expect_allocated(encoders[1]);
  }
}

}  // namespace
}  // namespace kvsplit::families
