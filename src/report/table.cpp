#include "report/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace kvsplit::report {
namespace {

/// Columns on a terminal of UTF-8 text without wide or combining characters: its code points.
std::size_t width(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

/// Or nothing at all.
bool is_number(const std::string& cell) {
  return cell.empty() || std::string_view("+-0123456789").find(cell[0]) != std::string_view::npos;
}

/// Decimals that show three digits of a value other than 0.
int decimals(double value) {
  const int magnitude = static_cast<int>(std::floor(std::log10(std::abs(value))));
  return std::clamp(2 - magnitude, 0, 9);
}

}  // namespace

std::string Table::text() const {
  std::vector<std::string> lines(2 + rows.size());  // titles, a rule, rows
  for (std::size_t c = 0; c < titles.size(); ++c) {
    std::size_t widest = 0;
    bool is_left = false;
    for (const auto& row : rows) {
      widest = std::max(widest, width(row[c]));
      is_left = is_left || !is_number(row[c]);
    }
    if (widest == 0) continue;
    widest = std::max({widest, width(titles[c]), std::size_t{3}});
    const auto cell = fmt::runtime(is_left ? "| {:<{}} " : "| {:>{}} ");
    lines[0] += fmt::format(cell, titles[c], widest);
    lines[1] += fmt::format("| {:-<{}}{} ", "", widest - 1, is_left ? '-' : ':');
    for (std::size_t r = 0; r < rows.size(); ++r) {
      lines[2 + r] += fmt::format(cell, rows[r][c], widest);
    }
  }
  std::string text;
  for (const std::string& line : lines) text += line + "|\n";
  return text;
}

std::string grouped(std::int64_t value) { return fmt::format("{}", fmt::group_digits(value)); }

std::string bytes(double n_bytes) {
  const double mib = n_bytes / (1024.0 * 1024.0);
  return mib < 10240 ? fmt::format("{:.2f} MiB", mib) : fmt::format("{:.2f} GiB", mib / 1024);
}

std::string significant(double value) {
  return value == 0 ? "0" : fmt::format("{:.{}f}", value, decimals(value));
}

std::string with_error(double value, double error) {
  if (value == 0 || error == 0) return significant(value);
  return fmt::format("{:.{}f} ± {:.{}f}", value, decimals(value), error, decimals(value));
}

}  // namespace kvsplit::report
