#include "report/records.h"

#include <fmt/format.h>

#include <fstream>
#include <set>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "report/fields.h"
#include "report/numbers.h"
#include "report/verdict.h"

namespace kvsplit::report {
namespace {

using measure::CacheRecord;

/// A column of the table: its title and the text of a record's cell, "" where not measured.
struct TableColumn {
  std::string title;
  std::string (*cell)(const CacheRecord&);
  Table::Align align = Table::Align::right;
};

template <class Value, class Format>
std::string if_measured(const std::optional<Value>& value, Format format) {
  return value ? format(*value) : std::string();
}

std::string with_sign(double percent) { return fmt::format("{:+.2f} %", percent); }

std::string median(const measure::Rate& rate) { return significant(rate.median); }

const std::vector<TableColumn>& table_columns() {
  static const std::vector<TableColumn> columns = {
      {"cache", [](const CacheRecord& r) { return r.cache; }, Table::Align::left},
      {"engine", [](const CacheRecord& r) { return r.engine; }, Table::Align::left},
      {"bits K/V",
       [](const CacheRecord& r) {
         return r.k_bits_all_in && r.v_bits_all_in
                    ? fmt::format("{:.4g}/{:.4g}", *r.k_bits_all_in, *r.v_bits_all_in)
                    : std::string();
       }},
      {"window",
       [](const CacheRecord& r) {
         return if_measured(r.context, [](int n) { return grouped(n); });
       }},
      {"MiB",
       [](const CacheRecord& r) {
         return if_measured(r.kv_bytes, [](std::uint64_t n) {
           return fmt::format("{:.2f}", static_cast<double>(n) / (1 << 20));
         });
       }},
      {"prompt t/s", [](const CacheRecord& r) { return if_measured(r.prompt, median); }},
      {"decode t/s", [](const CacheRecord& r) { return if_measured(r.decode, median); }},
      {"perplexity",
       [](const CacheRecord& r) {
         return if_measured(r.ppl, [](double x) { return fmt::format("{:.3f}", x); });
       }},
      {"change", [](const CacheRecord& r) { return if_measured(r.ppl_change_percent, with_sign); }},
      {"KL",
       [](const CacheRecord& r) {
         if (!r.kl_mean) return std::string();
         return with_error(*r.kl_mean, r.kl_stderr.value_or(0));
       }},
      {"same top",
       [](const CacheRecord& r) {
         return if_measured(r.same_top_percent,
                            [](double x) { return fmt::format("{:.1f} %", x); });
       }},
      {"", [](const CacheRecord& r) { return std::string(is_damaged(r) ? damage_mark : ""); },
       Table::Align::left},
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

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() > end.size() && text.substr(text.size() - end.size()) == end;
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
  for (const CacheRecord& record : records) {
    Json object = Json::object();
    for (const Field& field : fields()) object[field.key] = field.value(record);
    list.push_back(std::move(object));
  }
  return list.dump(2) + "\n";
}

std::string csv(Records records) {
  const auto line = [](const auto& cell) {
    std::string text;
    for (const Field& field : fields()) text += (text.empty() ? "" : ",") + cell(field);
    return text + "\n";
  };
  std::string text = line([](const Field& field) { return std::string(field.key); });
  for (const CacheRecord& record : records) {
    text += line([&](const Field& field) { return csv_cell(field.value(record)); });
  }
  return text;
}

void check_file_name(const std::string& file) {
  if (ends_with(file, ".json") || ends_with(file, ".csv") || ends_with(file, ".md")) return;
  throw Error(fmt::format("-o {}: expected a name that ends in .json, .csv or .md", file));
}

void write(const std::string& file, Records records, const std::string& markdown) {
  check_file_name(file);
  std::ofstream stream(file, std::ios::binary);
  if (ends_with(file, ".md")) {
    stream << markdown;
  } else {
    stream << (ends_with(file, ".json") ? json(records) : csv(records));
  }
  stream.close();
  if (!stream) throw Error(fmt::format("-o {}: cannot be written", file));
}

}  // namespace kvsplit::report
