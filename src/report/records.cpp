#include "report/records.h"

#include <fmt/format.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/error.h"
#include "report/numbers.h"
#include "report/verdict.h"

namespace kvsplit::report {
namespace {

using Json = nlohmann::ordered_json;
using measure::CacheRecord;
using measure::Rate;

/// A column of the table: its title and the text of a record's cell, "" where not measured.
struct TableColumn {
  std::string title;
  std::function<std::string(const CacheRecord&)> cell;
  Table::Align align = Table::Align::right;
};

template <class Value, class Format>
TableColumn measured(const char* title, std::optional<Value> CacheRecord::*member, Format format) {
  return {title, [=](const CacheRecord& record) {
            return record.*member ? format(*(record.*member)) : std::string();
          }};
}

template <class Value>
TableColumn measured(const char* title, std::optional<Value> CacheRecord::*member,
                     const char* format) {
  return measured(title, member, [=](Value x) { return fmt::format(fmt::runtime(format), x); });
}

std::string bits(const CacheRecord& record) {
  if (!record.k_bits_all_in || !record.v_bits_all_in) return "";
  return fmt::format("{:.4g}/{:.4g}", *record.k_bits_all_in, *record.v_bits_all_in);
}

std::string mib(std::uint64_t bytes) {
  return fmt::format("{:.2f}", static_cast<double>(bytes) / (1 << 20));
}

std::string median(const Rate& rate) { return significant(rate.median); }

std::string divergence(const CacheRecord& record) {
  return record.kl_mean ? with_error(*record.kl_mean, record.kl_stderr.value_or(0)) : "";
}

std::string mark(const CacheRecord& record) {
  return std::string(is_damaged(record) ? damage_mark : "");
}

const std::vector<TableColumn>& table_columns() {
  static const std::vector<TableColumn> columns = {
      {"cache", &CacheRecord::cache, Table::Align::left},
      {"engine", &CacheRecord::engine, Table::Align::left},
      {"bits K/V", bits},
      measured("window", &CacheRecord::context, grouped),
      measured("MiB", &CacheRecord::kv_bytes, mib),
      measured("prompt t/s", &CacheRecord::prompt, median),
      measured("decode t/s", &CacheRecord::decode, median),
      measured("perplexity", &CacheRecord::ppl, "{:.3f}"),
      measured("change", &CacheRecord::ppl_change_percent, "{:+.2f} %"),
      {"KL", divergence},
      measured("same top", &CacheRecord::same_top_percent, "{:.1f} %"),
      {"", mark, Table::Align::left},
  };
  return columns;
}

/// Not a column that no record has a value for, and not the window where it is always the same.
bool is_worth_showing(const TableColumn& column, Records records) {
  std::set<std::string> cells;
  for (const CacheRecord& record : records) cells.insert(column.cell(record));
  const std::size_t too_few = column.title == "window" ? 1 : 0;
  return cells.size() > too_few && !cells.rbegin()->empty();
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
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

Table table(Records records) {
  std::vector<TableColumn> used;
  for (const TableColumn& column : table_columns()) {
    if (is_worth_showing(column, records)) used.push_back(column);
  }
  Table result;
  for (const TableColumn& column : used) result.add_column(column.title, column.align);
  for (const CacheRecord& record : records) {
    std::vector<std::string> cells;
    cells.reserve(used.size());
    for (const TableColumn& column : used) cells.push_back(column.cell(record));
    result.add_row(std::move(cells));
  }
  return result;
}

std::string json(Records records) {
  Json list = Json::array();
  for (const CacheRecord& record : records) list.push_back(as_json(record));
  return list.dump(2) + "\n";
}

std::string csv(Records records) {
  const auto line = [](const Json& cells) {
    std::string text;
    for (const Json& cell : cells) text += (text.empty() ? "" : ",") + csv_cell(cell);
    return text + "\n";
  };
  Json keys = Json::array();
  const Json nothing = as_json({});
  for (const auto& item : nothing.items()) keys.push_back(item.key());
  std::string text = line(keys);
  for (const CacheRecord& record : records) text += line(as_json(record));
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
