#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kvsplit::measure {

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

  std::optional<double> prompt_tps, decode_tps;
  std::optional<int> depth;  ///< tokens in the cache while speed was measured
  std::optional<std::uint64_t> peak_rss_bytes;
};

}  // namespace kvsplit::measure
