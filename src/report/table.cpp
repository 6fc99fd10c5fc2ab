#include "report/table.h"

#include <algorithm>
#include <cassert>

namespace kvsplit::report {
namespace {

/// Columns on a terminal of UTF-8 text without wide or combining characters: its code points.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string padded(const std::string& text, std::size_t to, Table::Align align) {
  const std::string spaces(to - std::min(to, width(text)), ' ');
  return align == Table::Align::left ? text + spaces : spaces + text;
}

}  // namespace

void Table::add_column(std::string title, Align align) {
  columns_.push_back({std::move(title), align});
}

void Table::add_row(std::vector<std::string> cells) {
  assert(cells.size() == columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::string header;
  std::string rule;
  std::vector<std::string> lines(rows_.size());
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    const Column& column = columns_[c];
    std::size_t widest = std::max<std::size_t>(3, width(column.title));
    for (const auto& row : rows_) widest = std::max(widest, width(row[c]));
    header += "| " + padded(column.title, widest, column.align) + " ";
    const std::string dashes(widest - 1, '-');
    rule += "| " + (column.align == Align::left ? "-" + dashes : dashes + ":") + " ";
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      lines[r] += "| " + padded(rows_[r][c], widest, column.align) + " ";
    }
  }
  std::string text = header + "|\n" + rule + "|\n";
  for (const std::string& line : lines) text += line + "|\n";
  return text;
}

}  // namespace kvsplit::report
