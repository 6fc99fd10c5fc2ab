#include "report/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "report/numbers.h"
#include "report/verdict.h"

namespace kvsplit::report {
namespace {

using Json = nlohmann::ordered_json;
using measure::CacheRecord;
using measure::Rate;
using Align = Table::Align;

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

template <class Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json();
}

Json or_null(const std::optional<Rate>& rate, double Rate::*member) {
  return rate ? Json((*rate).*member) : Json();
}

/// All keys, in the order in which they are written. docs/results.md explains each.
Json as_json(const CacheRecord& record) {
  return Json::object({
      {"cache", record.cache},
      {"engine", record.engine},
      {"device", record.device},
      {"k_bits", record.k_bits},
      {"v_bits", record.v_bits},
      {"k_bits_all_in", or_null(record.k_bits_all_in)},
      {"v_bits_all_in", or_null(record.v_bits_all_in)},
      {"context", or_null(record.context)},
      {"kv_bytes", or_null(record.kv_bytes)},
      {"kv_context", or_null(record.kv_context)},
      {"ppl", or_null(record.ppl)},
      {"ppl_change_percent", or_null(record.ppl_change_percent)},
      {"kl_mean", or_null(record.kl_mean)},
      {"kl_stderr", or_null(record.kl_stderr)},
      {"same_top_percent", or_null(record.same_top_percent)},
      {"scored_tokens", or_null(record.scored_tokens)},
      {"prompt_tps", or_null(record.prompt, &Rate::median)},
      {"prompt_tps_min", or_null(record.prompt, &Rate::min)},
      {"prompt_tps_max", or_null(record.prompt, &Rate::max)},
      {"prompt_ratio", or_null(record.prompt, &Rate::ratio)},
      {"decode_tps", or_null(record.decode, &Rate::median)},
      {"decode_tps_min", or_null(record.decode, &Rate::min)},
      {"decode_tps_max", or_null(record.decode, &Rate::max)},
      {"decode_ratio", or_null(record.decode, &Rate::ratio)},
      {"depth", or_null(record.depth)},
      {"prompt_tokens", or_null(record.prompt_tokens)},
      {"decode_tokens", or_null(record.decode_tokens)},
      {"speed_rounds", or_null(record.speed_rounds)},
      {"peak_rss_bytes", or_null(record.peak_rss_bytes)},
      {"model", record.setting.model},
      {"threads", record.setting.threads},
      {"cpu", record.setting.cpu},
      {"kernels", record.setting.kernels},
      {"kvsplit", record.setting.kvsplit},
      {"llama_cpp", record.setting.llama_cpp},
      {"ggml", record.setting.ggml},
      {"date", record.setting.date},
  });
}

/// RFC 4180: quoted where a comma, a quote or a line break would be misread.
std::string csv_cell(const Json& value) {
  if (value.is_null()) return "";
  if (!value.is_string()) return value.dump();
  auto text = value.get<std::string>();
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::ostringstream quoted;
  quoted << std::quoted(text, '"', '"');
  return quoted.str();
}

std::string csv_line(const Json& cells) {
  std::string line;
  for (const Json& cell : cells) line += (line.empty() ? "" : ",") + csv_cell(cell);
  return line + "\n";
}

}  // namespace

Table table(Records records) {
  Table table{.columns = {{"cache", Align::left},
                          {"engine", Align::left},
                          {"bits K/V"},
                          {"MiB"},
                          {"prompt t/s"},
                          {"decode t/s"},
                          {"perplexity"},
                          {"change"},
                          {"KL"},
                          {"same top"},
                          {"", Align::left}}};
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
  Table table{.columns = {{"depth"},
                          {"cache", Align::left},
                          {"engine", Align::left},
                          {"prompt t/s"},
                          {"min … max"},
                          {times},
                          {"decode t/s"},
                          {"min … max"},
                          {times}}};
  for (const CacheRecord& record : records) {
    table.rows.push_back({cell(record.depth, grouped), record.cache, record.engine,
                          cell(record.prompt, median), cell(record.prompt, spread),
                          cell(record.prompt, ratio), cell(record.decode, median),
                          cell(record.decode, spread), cell(record.decode, ratio)});
  }
  return table;
}

std::string json(Records records) {
  Json list = Json::array();
  for (const CacheRecord& record : records) list.push_back(as_json(record));
  return list.dump(2) + "\n";
}

std::string csv(Records records) {
  Json keys;
  const Json nothing = as_json({});
  for (const auto& item : nothing.items()) keys.push_back(item.key());
  std::string text = csv_line(keys);
  for (const CacheRecord& record : records) text += csv_line(as_json(record));
  return text;
}

void check_file_name(const std::string& file) {
  for (const std::string ending : {".json", ".csv", ".md"}) {
    if (file.ends_with(ending) && file != ending) return;
  }
  throw Error(fmt::format("-o {}: expected a name that ends in .json, .csv or .md", file));
}

void write(const std::string& file, Records records, const std::string& markdown) {
  check_file_name(file);
  std::ofstream stream(file, std::ios::binary);
  stream << (file.ends_with(".md")     ? markdown
             : file.ends_with(".json") ? json(records)
                                       : csv(records));
  stream.close();
  if (!stream) throw Error(fmt::format("-o {}: cannot be written", file));
}

}  // namespace kvsplit::report
