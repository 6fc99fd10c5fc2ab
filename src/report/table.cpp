#include "report/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace kvsplit::report {
namespace {

/// Columns on a terminal of UTF-8 text without wide or combining characters: its code points.
std::size_t width(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

}  // namespace

std::string Table::text() const {
  std::vector<std::string> lines(2 + rows.size());  // titles, a rule, rows
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const auto& [title, align] = columns[c];
    std::size_t widest = 0;
    for (const auto& row : rows) widest = std::max(widest, width(row[c]));
    if (widest == 0) continue;
    widest = std::max({widest, width(title), std::size_t{3}});
    const bool is_left = align == Align::left;
    const auto cell = fmt::runtime(is_left ? "| {:<{}} " : "| {:>{}} ");
    lines[0] += fmt::format(cell, title, widest);
    lines[1] += fmt::format("| {:-<{}}{} ", "", widest - 1, is_left ? '-' : ':');
    for (std::size_t r = 0; r < rows.size(); ++r) {
      lines[2 + r] += fmt::format(cell, rows[r][c], widest);
    }
  }
  std::string text;
  for (const std::string& line : lines) text += line + "|\n";
  return text;
}

}  // namespace kvsplit::report
