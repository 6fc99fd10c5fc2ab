#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kvsplit::measure {

/// Tokens per second, measured in several rounds.
struct Rate {
  double median = 0;  ///< of an even number of rounds the mean of the middle two
  double min = 0, max = 0;
  double ratio = 1;  ///< median of the rounds' ratios: what slows down a whole round cancels out
};

/// With what, where and when something was measured.
struct Setting {
  std::string model;                     ///< its file's name, without the folder
  std::string kvsplit, llama_cpp, ggml;  ///< versions
  std::string cpu;
  std::string kernels;  ///< instruction set of kvsplit's own
  int threads = 0;
  std::string date;  ///< UTC, as in 2026-01-31T23:59:59Z
};

/// One measured cache: a row of every table and file that kvsplit writes. Empty = not measured.
/// docs/results.md says what each field means; the names are those of the keys.
struct CacheRecord {
  std::string cache;   ///< as asked: "FP16", "K8V4", "q8_0/q4_0"
  std::string engine;  ///< "kvsplit" or "stock"
  std::string device;  ///< where the weights and the cache were
  int k_bits = 0, v_bits = 0;
  std::optional<double> k_bits_all_in, v_bits_all_in;

  std::optional<int> context;  ///< tokens of a scored window
  std::optional<std::uint64_t> kv_bytes;
  std::optional<int> kv_context;  ///< tokens that kv_bytes has room for

  std::optional<double> ppl, ppl_change_percent;
  std::optional<double> kl_mean, kl_stderr;
  std::optional<double> same_top_percent;
  std::optional<std::int64_t> scored_tokens;

  std::optional<Rate> prompt, decode;
  std::optional<int> depth;  ///< tokens in the cache while speed was measured
  std::optional<int> prompt_tokens, decode_tokens, speed_rounds;
  std::optional<std::uint64_t> peak_rss_bytes;
  Setting setting;
};

/// What some bits do to the attention of one KV head where only the keys, or only the values, have
/// them and no row is exact: means over its query heads and the second half of a window.
/// docs/results.md says what each field means; the names are those of the keys.
struct HeadRecord {
  int layer = 0, kv_head = 0;
  double kl = 0, kl_unrotated = 0, kl_first_exact = 0, kl_bias_off = 0;  ///< nats
  double entropy = 0, entropy_change = 0;                                ///< nats
  double first_share = 0, first_share_quantised = 0;
  double key_error = 0, key_error_unrotated = 0, value_error = 0, value_error_unrotated = 0;
  double outlier = 0, bias = 0, first_norm = 0;
};

/// What is said of why a model's keys and values need their bits.
struct Explanation {
  int bits = 0;
  std::vector<HeadRecord> heads;  ///< by layer, then head
  /// FP16, then pairs of caches, one with so many bits of keys and one with as many of values:
  /// without rotation; with it; with first tokens in 8 bits besides; and with the last ones too.
  std::vector<CacheRecord> caches;
};

}  // namespace kvsplit::measure
