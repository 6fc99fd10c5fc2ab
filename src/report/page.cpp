#include "report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace kvsplit::report {
namespace {

using measure::CacheRecord;
using Strings = std::vector<std::string>;

void replace(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

/// As text of a page; "$" is what the places of a layout begin with.
std::string escaped(std::string text) {
  for (const auto& [mark, name] : {std::pair("&", "&amp;"), {"<", "&lt;"}, {"$", "&#36;"}}) {
    replace(text, mark, name);
  }
  return text;
}

/// Columns with nothing in their cells are left out.
std::string html(const Table& table) {
  std::string text = "<div class=\"scroll\" tabindex=\"0\"><table>\n";
  const auto add_row = [&](const Strings& cells, const char* tag) {
    text += "<tr>";
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const bool is_used = std::ranges::any_of(table.rows, [&](auto& row) { return row[i] != ""; });
      if (is_used) text += fmt::format("<{0}>{1}</{0}>", tag, escaped(cells[i]));
    }
    text += "</tr>\n";
  };
  add_row(table.titles, "th");
  for (const Strings& row : table.rows) add_row(row, "td");
  return text + "</table></div>";
}

/// The records' cells of some keys, of equal rows the first.
Table table(const Json& records, Strings keys) {
  Table table{std::move(keys)};
  for (const Json& record : records) {
    Strings row;
    for (const std::string& key : table.titles) {
      const Json& value = record[key];
      row.push_back(value.is_null() ? "" : value.is_string() ? std::string(value) : number(value));
    }
    if (std::ranges::count(table.rows, row) == 0) table.rows.push_back(row);
  }
  return table;
}

}  // namespace

std::string finished(std::string svg, const Chart& chart, const std::string& style) {
  if (svg.rfind("</svg>") == std::string::npos) {
    throw Error(chart.name + ": gnuplot's picture is cut off, is the disk full?");
  }
  for (const std::string id : {"id=\"", "id='", "href=\"#", "href='#", "url(#"}) {
    replace(svg, id, id + chart.name + "-");
  }
  const auto [least, most] = std::ranges::minmax(chart.points, {}, &Point::y);
  const std::string says = fmt::format("{}: from {} ({}) to {} ({}).", chart.y, number(least.y),
                                       least.series, number(most.y), most.series);
  const std::size_t title = svg.find("<title>"), body = svg.find("</desc>") + 7;
  svg.replace(title, body - title,
              fmt::format("<title id=\"{0}-title\">{1}</title><desc id=\"{0}-says\">{2}</desc>"
                          "<style>{3}</style>",
                          chart.name, escaped(chart.title), escaped(says), style));
  svg.erase(0, svg.find("<svg"));
  return svg.insert(4,
                    fmt::format(R"( role="img" aria-labelledby="{0}-title {0}-says")", chart.name));
}

std::string page(std::string layout, const Results& results, const std::vector<Chart>& charts,
                 const Strings& pictures) {
  std::string sections;
  for (std::size_t i = 0; i < charts.size(); ++i) {
    sections += fmt::format(
        "<section>\n<h2>{}</h2>\n{}\n<p>{}</p>\n"
        "<details><summary>Its numbers</summary>\n{}</details>\n</section>\n",
        escaped(charts[i].title), pictures[i], escaped(charts[i].note), html(table(charts[i])));
  }
  const Json records = results.all_records();
  const Strings setting = {"model",   "cpu",       "threads", "kernels", "device",
                           "kvsplit", "llama_cpp", "ggml",    "date"};
  Strings measured;
  for (const auto& [key, value] : records[0].items()) {
    if (std::ranges::count(setting, key) == 0) measured.push_back(key);
  }
  std::string models;
  for (const Strings& row : table(records, {"model"}).rows) {
    models += (models.empty() ? "" : ", ") + row[0];
  }
  replace(layout, "$models", escaped(models));
  replace(layout, "$setting", html(table(records, setting)));
  replace(layout, "$records", html(table(records, measured)));
  replace(layout, "$charts", sections);  // last: gnuplot's texts are not escaped as ours
  return layout;
}

std::string animation(std::string layout, Records records) {
  const CacheRecord& first = records[0];
  const auto rank = [&](const CacheRecord& record) {
    return (record.cache == "K8V4" ? 2 : 0) + (record.engine == first.engine ? 1 : 0);
  };
  const CacheRecord& second = *std::ranges::max_element(records.subspan(1), {}, rank);
  const auto size = [](const CacheRecord& record) { return 1.0 * record.kv_bytes.value_or(0); };
  const double largest = std::max({size(first), size(second), 1.0});
  const std::int64_t n_tokens = first.kv_context.value_or(0);
  constexpr int n_steps = 40;
  std::string counts;
  for (int i = 0; i < n_steps; ++i) {
    counts += fmt::format("<text y=\"24\" style=\"animation-delay: {}ms\">{} tokens</text>\n",
                          5000 / n_steps * i, grouped(n_tokens * i / n_steps));
  }
  replace(layout, "$counts", counts);
  replace(layout, "$tokens", grouped(n_tokens));
  replace(layout, "$model", escaped(first.setting.model));
  for (const auto& [place, record] : {std::pair("$first", first), {"$second", second}}) {
    const std::string name = place;
    replace(layout, name + "-width", fmt::format("{:.1f}", 400 * size(record) / largest));
    replace(layout, name + "-size", bytes(size(record)));
    replace(layout, name, escaped(record.cache));
  }
  return layout;
}

}  // namespace kvsplit::report
