#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kvsplit::report {

/// A table for terminals that is also Markdown.
struct Table {
  std::vector<std::string> titles;                  ///< of the columns
  std::vector<std::vector<std::string>> rows = {};  ///< one cell per column

  /// Lines, each ended by '\n'. Columns whose cells all begin with a number are aligned to the
  /// right; those with nothing in their cells are left out.
  std::string text() const;
};

/// "8,192" of 8192; nothing is below 0.
std::string grouped(std::int64_t value);

/// "18.28 MiB", or GiB from 10 GiB on: the unit of llama.cpp's log lines.
std::string bytes(double n_bytes);

/// Three significant digits for what spans orders of magnitude: "0.00513", "0.0391", "2.09".
std::string significant(double value);

/// The same, with as many decimals of its standard error: "0.00513 ± 0.00021".
std::string with_error(double value, double error);

}  // namespace kvsplit::report
