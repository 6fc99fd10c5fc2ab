#include "report/records.h"

#include <fmt/format.h>

#include <algorithm>

namespace kvsplit::report {
namespace {

using measure::CacheRecord;
using measure::Rate;

/// A cell of the table, "" where nothing was measured.
template <class Value, class Format>
std::string cell(const std::optional<Value>& value, const Format& format) {
  return value ? format(*value) : std::string();
}

std::string cell(const std::optional<double>& value, const char* format) {
  return value ? fmt::format(fmt::runtime(format), *value) : "";
}

std::string bits(const CacheRecord& record) {
  if (!record.k_bits_all_in || !record.v_bits_all_in) return "";
  return fmt::format("{:.4g}/{:.4g}", *record.k_bits_all_in, *record.v_bits_all_in);
}

std::string mib(std::uint64_t bytes) { return fmt::format("{:.2f}", bytes / double{1 << 20}); }

std::string median(const Rate& rate) { return significant(rate.median); }

std::string spread(const Rate& rate) {
  return significant(rate.min) + " … " + significant(rate.max);
}

std::string ratio(const Rate& rate) { return fmt::format("{:.2f}", rate.ratio); }

std::string divergence(const CacheRecord& record) {
  return record.kl_mean ? with_error(*record.kl_mean, record.kl_stderr.value_or(0)) : "";
}

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

// What llama.cpp's own 16-bit cache differs by: with quantised weights no cache is closer.
double floor_kl(Records records) {
  const auto stock = std::ranges::find_if(records, [](const CacheRecord& record) {
    return record.engine == "stock" && record.k_bits == 16 && record.v_bits == 16;
  });
  return stock == records.end() ? 0 : stock->kl_mean.value_or(0);
}

}  // namespace

Table table(Records records) {
  Table table{{"cache", "engine", "bits K/V", "MiB", "prompt t/s", "decode t/s", "perplexity",
               "change", "KL", "same top", ""}};
  for (const CacheRecord& record : records) {
    table.rows.push_back({record.cache, record.engine, bits(record), cell(record.kv_bytes, mib),
                          cell(record.prompt, median), cell(record.decode, median),
                          cell(record.ppl, "{:.3f}"), cell(record.ppl_change_percent, "{:+.2f} %"),
                          divergence(record), cell(record.same_top_percent, "{:.1f} %"),
                          is_damaged(record) ? damage_mark : ""});
  }
  return table;
}

std::string setting_text(const measure::Setting& setting) {
  return fmt::format("{} on {}, {} threads, {} kernels\nkvsplit {}, llama.cpp {} (ggml {}), {}\n",
                     setting.model, setting.cpu, setting.threads, setting.kernels, setting.kvsplit,
                     setting.llama_cpp, setting.ggml, setting.date);
}

Table speed_table(Records records) {
  const std::string times = "× " + records[0].cache;
  Table table{{"depth", "cache", "engine", "prompt t/s", "min … max", times, "decode t/s",
               "min … max", times}};
  for (const CacheRecord& record : records) {
    table.rows.push_back({cell(record.depth, grouped), record.cache, record.engine,
                          cell(record.prompt, median), cell(record.prompt, spread),
                          cell(record.prompt, ratio), cell(record.decode, median),
                          cell(record.decode, spread), cell(record.decode, ratio)});
  }
  return table;
}

bool is_damaged(const CacheRecord& record) {
  return record.kl_mean.value_or(0) > visible_damage_kl;
}

std::string recommendation(Records records, double max_kl) {
  if (records.size() < 2 || !records[0].kv_bytes) return "";
  const CacheRecord& baseline = records[0];
  const double bound = max_kl + floor_kl(records);
  const CacheRecord* best = nullptr;
  for (const CacheRecord& record : records.subspan(1)) {
    if (!record.kv_bytes || !record.kl_mean || *record.kl_mean > bound) continue;
    if (*record.kv_bytes >= *baseline.kv_bytes) continue;
    if (best == nullptr || is_better(record, *best)) best = &record;
  }
  if (best == nullptr) {
    return fmt::format("Stay with {}: every smaller cache measured here has a KL above {}.",
                       name(baseline), significant(bound));
  }
  const auto full = static_cast<double>(*baseline.kv_bytes);
  const auto packed = static_cast<double>(*best->kv_bytes);
  return fmt::format(
      "Take {}, the smallest cache with a KL of at most {}: {} instead of {} ({:.1f} times smaller "
      "than {}), perplexity {:+.2f} %, KL {}{}.",
      name(*best), significant(bound), bytes(packed), bytes(full), full / packed, name(baseline),
      best->ppl_change_percent.value_or(0), significant(*best->kl_mean), speed_phrase(*best));
}

std::string damage_legend(Records records) {
  if (std::none_of(records.begin(), records.end(), is_damaged)) return "";
  return fmt::format(
      "{} visible damage: KL above {} nats, so more than one sampled token in ten may come out "
      "otherwise.\n",
      damage_mark, visible_damage_kl);
}

}  // namespace kvsplit::report
