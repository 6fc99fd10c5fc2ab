#include "report/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "report/json.h"

/// null where nothing was measured.
template <class Value>
struct nlohmann::adl_serializer<std::optional<Value>> {
  static void to_json(auto& json, const std::optional<Value>& value) {
    if (value) json = *value;
  }
};

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

/// Keys named like the fields of `nlohmann_json_t`, in the order given. nlohmann's documented
/// macro around these two only makes objects that sort their keys.
#define KVSPLIT_ADD_FIELDS(...) \
  NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(NLOHMANN_JSON_TO, __VA_ARGS__))

void add_rate(Json& json, const std::string& name, const std::optional<Rate>& rate) {
  const auto add = [&](const char* ending, double Rate::*member) {
    json[name + ending] = rate ? Json((*rate).*member) : Json();
  };
  add("_tps", &Rate::median);
  add("_tps_min", &Rate::min);
  add("_tps_max", &Rate::max);
  add("_ratio", &Rate::ratio);
}

void add_setting(Json& nlohmann_json_j, const measure::Setting& nlohmann_json_t) {
  KVSPLIT_ADD_FIELDS(model, threads, cpu, kernels, kvsplit, llama_cpp, ggml, date);
}

/// All keys, in the order in which they are written. docs/results.md explains each.
Json as_json(const CacheRecord& nlohmann_json_t) {
  Json nlohmann_json_j;
  KVSPLIT_ADD_FIELDS(cache, engine, device, k_bits, v_bits, k_bits_all_in, v_bits_all_in, context,
                     kv_bytes, kv_context, ppl, ppl_change_percent, kl_mean, kl_stderr,
                     same_top_percent, scored_tokens);
  add_rate(nlohmann_json_j, "prompt", nlohmann_json_t.prompt);
  add_rate(nlohmann_json_j, "decode", nlohmann_json_t.decode);
  KVSPLIT_ADD_FIELDS(depth, prompt_tokens, decode_tokens, speed_rounds, peak_rss_bytes);
  add_setting(nlohmann_json_j, nlohmann_json_t.setting);
  return nlohmann_json_j;
}

/// RFC 4180: quoted where a comma, a quote or a line break would be misread.
std::string csv_cell(const Json& value) {
  if (value.is_null()) return "";
  if (!value.is_string()) return value.dump();
  auto text = value.get<std::string>();
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

std::string csv_line(const Json& cells) {
  std::string line;
  for (const Json& cell : cells) line += (line.empty() ? "" : ",") + csv_cell(cell);
  return line + "\n";
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

Json as_json(Records records) {
  Json list = Json::array();
  for (const CacheRecord& record : records) list.push_back(as_json(record));
  return list;
}

std::string json(Records records) { return as_json(records).dump(2) + "\n"; }

std::string csv(const Json& list, const Json& nothing) {
  Json keys;
  for (const auto& item : nothing.items()) keys.push_back(item.key());
  std::string text = csv_line(keys);
  for (const Json& cells : list) text += csv_line(cells);
  return text;
}

std::string csv(Records records) { return csv(as_json(records), as_json(CacheRecord())); }

void check_file_name(const std::string& file) {
  for (const std::string ending : {".json", ".csv", ".md"}) {
    if (file.ends_with(ending) && file != ending) return;
  }
  throw Error(fmt::format("-o {}: expected a name that ends in .json, .csv or .md", file));
}

void write(const std::string& file, const std::string& json, const std::string& csv,
           const std::string& markdown) {
  check_file_name(file);
  std::ofstream stream(file, std::ios::binary);
  stream << (file.ends_with(".md") ? markdown : file.ends_with(".json") ? json : csv);
  stream.close();
  if (!stream) throw Error(fmt::format("-o {}: cannot be written", file));
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
