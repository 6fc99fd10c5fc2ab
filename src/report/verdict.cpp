#include "report/verdict.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/numbers.h"

namespace kvsplit::report {
namespace {

using measure::CacheRecord;

bool is_better(const CacheRecord& a, const CacheRecord& b) {
  constexpr double tie = 1.01;
  const auto a_bytes = static_cast<double>(*a.kv_bytes);
  const auto b_bytes = static_cast<double>(*b.kv_bytes);
  if (a_bytes * tie < b_bytes || b_bytes * tie < a_bytes) return a_bytes < b_bytes;
  if (a.decode && b.decode) return a.decode->median > b.decode->median;
  return *a.kl_mean < *b.kl_mean;
}

std::string name(const CacheRecord& record) {
  return record.engine == "stock" ? "llama.cpp's own " + record.cache : record.cache;
}

/// "; prompts 1.21 and decoding 1.63 times as fast", what was measured of it.
std::string speed_phrase(const CacheRecord& record) {
  if (!record.prompt || !record.decode) return "";
  return fmt::format("; at {} tokens prompts run at {:.2f} and decoding at {:.2f} times its speed",
                     grouped(record.depth.value_or(0)), record.prompt->ratio, record.decode->ratio);
}

}  // namespace

bool is_damaged(const CacheRecord& record) {
  return record.kl_mean.value_or(0) > visible_damage_kl;
}

std::string recommendation(std::span<const CacheRecord> records) {
  if (records.size() < 2 || !records[0].kv_bytes) return "";
  const CacheRecord& baseline = records[0];
  const CacheRecord* best = nullptr;
  for (const CacheRecord& record : records.subspan(1)) {
    if (!record.kv_bytes || !record.kl_mean || is_damaged(record)) continue;
    if (*record.kv_bytes >= *baseline.kv_bytes) continue;
    if (best == nullptr || is_better(record, *best)) best = &record;
  }
  if (best == nullptr) {
    return fmt::format(
        "Stay with {}: every smaller cache measured here damages this model visibly.",
        name(baseline));
  }
  const auto full = static_cast<double>(*baseline.kv_bytes);
  const auto packed = static_cast<double>(*best->kv_bytes);
  return fmt::format(
      "Take {}, the smallest cache without visible damage: {} instead of {} ({:.1f} times smaller "
      "than {}), perplexity {:+.2f} %, KL {}{}.",
      name(*best), bytes(packed), bytes(full), full / packed, name(baseline),
      best->ppl_change_percent.value_or(0), significant(*best->kl_mean), speed_phrase(*best));
}

std::string damage_legend(std::span<const CacheRecord> records) {
  if (std::none_of(records.begin(), records.end(), is_damaged)) return "";
  return fmt::format(
      "{} visible damage: KL above {} nats, so more than one sampled token in ten may come out "
      "otherwise.\n",
      damage_mark, visible_damage_kl);
}

}  // namespace kvsplit::report
