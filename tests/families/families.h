#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "plugin/plugin.h"
#include "tests/families/matrix.h"
#include "tests/families/session.h"

namespace kvsplit::families {

/// "gpt-oss" → "gpt_oss", as GoogleTest wants names.
inline std::string test_name(const testing::TestParamInfo<Family>& info) {
  std::string name = info.param.name;
  for (char& letter : name) {
    letter = letter == '-' ? '_' : letter;
  }
  return name;
}

/// The exact oracle: the CPU device with keys and values in 32 bits and plain attention. It rounds
/// nothing but sums.
inline CacheSettings exact() {
  return {.k_type = GGML_TYPE_F32, .v_type = GGML_TYPE_F32, .flash_attention = false};
}

inline CacheSettings packed(const char* precision, bool unified = true) {
  return {.precision = precision, .unified = unified};
}

constexpr const char* no_exact_rows = "K8V4:sinks=0:window=0";

/// llama.cpp's own pair of eight and four bits; on KVSPLIT its types' names over our K8V4.
inline CacheSettings stock_8_and_4_bits() {
  return {.precision = "K8V4", .k_type = GGML_TYPE_Q8_0, .v_type = GGML_TYPE_Q4_0};
}

inline CacheSettings with_full_windows(CacheSettings settings) {
  settings.full_windows = true;
  return settings;
}

/// How far logits of a 16-bit cache may be from the exact ones. Each layer rounds q, k and v to f16
/// (2^-12 of their size at most) and sums the products; q's and k's errors become relative errors
/// of the softmax weights after multiplication with the scores, which spread by about two here
/// (make_models.py). Twice 2^-12 · 2 + 2^-12 is 5 · 2^-12 a layer; the layers' errors add up.
/// The widths' own errors are at least three times as large: 8 bits round to 2^-8 of the largest.
inline double bound_of_16_bits(const Family& family) { return family.n_layers * 5.0 / 4096; }

/// Logits of a talk that does everything at once: a prompt of three pieces beside one of two,
/// single steps of both in one batch, and a step of one beside a piece of prompt of the other.
inline std::vector<float> conversation(Session& session) {
  std::vector<float> logits;
  const auto say = [&](const std::vector<Token>& tokens) {
    const std::vector<float> more = session.decode(tokens);
    logits.insert(logits.end(), more.begin(), more.end());
  };
  say(random_tokens(1, 300, 0, 0));
  say(random_tokens(2, 150, 0, 1));
  for (int step = 0; step < 6; ++step) {
    say(joined(random_tokens(10 + step, 1, 300 + step, 0),
               random_tokens(20 + step, 1, 150 + step, 1)));
  }
  say(joined(random_tokens(30, 1, 306, 0), random_tokens(31, 20, 156, 1)));
  return logits;
}

inline std::vector<float> conversation(const Model& model, const CacheSettings& settings) {
  Session session(model, settings);
  return conversation(session);
}

/// Before a context is made whose caches are to be counted.
inline void reset_allocated() {
  plugin::reset_allocated();
  take_log();
}

/// That so many tensors were packed, and that the log says of how many others why they were not:
/// where there are two reasons, half of them has each.
inline void expect_allocated(const Family& family) {
  const CacheSum allocated = plugin::allocated();
  EXPECT_EQ(allocated.n_packed, family.n_packed);
  EXPECT_EQ(allocated.n_unpacked, family.n_unpacked);
  const std::string log = take_log();
  const auto n_reasons =
      std::ranges::count_if(family.why, [](auto* why) { return why != nullptr; });
  for (const char* why : family.why) {
    if (why == nullptr) continue;
    const std::string others = std::to_string(family.n_unpacked / n_reasons - 1) + " more: ";
    EXPECT_NE(log.find(" and " + others + why), std::string::npos) << log;
  }
}

inline Model load(const Family& family, Device device) {
  return {std::string("models/") + family.name, device, family.first_position};
}

class Families : public testing::TestWithParam<Family> {
 protected:
  static const Family& family() { return GetParam(); }
  const Model& cpu() const { return cpu_; }
  const Model& kvsplit() const { return kvsplit_; }

 private:
  Model cpu_ = load(GetParam(), Device::cpu);
  Model kvsplit_ = load(GetParam(), Device::kvsplit);
};

}  // namespace kvsplit::families
