#pragma once

#include <string>
#include <vector>

namespace kvsplit::report {

/// A table for terminals that is also Markdown: columns aligned, numbers to the right.
struct Table {
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align = Align::right;
  };
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows = {};  ///< one cell per column

  /// Lines, each ended by '\n'. Columns with nothing in their cells are left out.
  std::string text() const;
};

}  // namespace kvsplit::report
