#pragma once

#include <string>
#include <vector>

namespace kvsplit::report {

/// A table for terminals that is also Markdown: columns aligned, numbers to the right.
class Table {
 public:
  enum class Align { left, right };

  void add_column(std::string title, Align align = Align::right);
  void add_row(std::vector<std::string> cells);  ///< one cell per column

  /// Lines, each ended by '\n'.
  std::string text() const;

 private:
  struct Column {
    std::string title;
    Align align;
  };
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace kvsplit::report
