#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "tests/families/session.h"

namespace kvsplit::families {

/// A tiny model and what our device should make of its caches.
struct Family {
  const char* name;
  int n_layers;               ///< with attention
  int n_packed;               ///< cache tensors, of keys and of values
  int n_unpacked;             ///< those that stay in 16 bits
  bool windows = false;       ///< some layers see a sliding window only
  bool recurrent = false;     ///< some layers have a state instead: no removal of single tokens
  bool host_rotates = false;  ///< llama.cpp turns rows by a Hadamard where its type is quantised

  bool packed() const { return n_packed > 0; }
};

inline constexpr Family all_families[] = {
    {.name = "llama", .n_layers = 2, .n_packed = 4, .n_unpacked = 0},
    {.name = "llama-head64", .n_layers = 2, .n_packed = 4, .n_unpacked = 0, .host_rotates = true},
    {.name = "llama-head48", .n_layers = 2, .n_packed = 0, .n_unpacked = 4},
    {.name = "llama-head40", .n_layers = 2, .n_packed = 0, .n_unpacked = 4},
    {.name = "mixtral", .n_layers = 2, .n_packed = 4, .n_unpacked = 0},
    {.name = "gemma2", .n_layers = 4, .n_packed = 8, .n_unpacked = 0, .windows = true},
    {.name = "gemma3",
     .n_layers = 2,
     .n_packed = 4,
     .n_unpacked = 0,
     .windows = true,
     .host_rotates = true},
    {.name = "qwen2", .n_layers = 2, .n_packed = 4, .n_unpacked = 0},
    {.name = "qwen3", .n_layers = 2, .n_packed = 4, .n_unpacked = 0},
    {.name = "phi3", .n_layers = 2, .n_packed = 4, .n_unpacked = 0},
    {.name = "gptneox", .n_layers = 2, .n_packed = 4, .n_unpacked = 0},
    {.name = "mpt", .n_layers = 2, .n_packed = 4, .n_unpacked = 0},
    {.name = "gpt-oss", .n_layers = 2, .n_packed = 4, .n_unpacked = 0, .windows = true},
    {.name = "deepseek2", .n_layers = 2, .n_packed = 0, .n_unpacked = 2},
    {.name = "deepseek2-heads", .n_layers = 2, .n_packed = 4, .n_unpacked = 0},
    {.name = "lfm2", .n_layers = 2, .n_packed = 4, .n_unpacked = 0, .recurrent = true},
};

inline std::ostream& operator<<(std::ostream& out, const Family& family) {
  return out << family.name;
}

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

class Families : public testing::TestWithParam<Family> {
 protected:
  static const Family& family() { return GetParam(); }
  const Model& cpu() const { return cpu_; }
  const Model& kvsplit() const { return kvsplit_; }

 private:
  Model cpu_{GetParam().name, Device::cpu};
  Model kvsplit_{GetParam().name, Device::kvsplit};
};

}  // namespace kvsplit::families
