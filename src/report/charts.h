#pragma once

#include <string>
#include <vector>

#include "report/results.h"
#include "report/table.h"

namespace kvsplit::report {

/// What was measured of a series at a place; of a speed with the slowest and the fastest round.
struct Point {
  std::string series;
  int look;  ///< the same of a series in all charts, which are sorted by it
  double x, y, least, most;
};

struct Chart {
  std::string name;  ///< of its files
  std::string kind;  ///< of share/report/charts.gp
  std::string title;
  std::string of, x, y;  ///< what a series is; what x and y are, no x: there is but one place
  std::string note;
  std::vector<Point> points = {};
};

/// Memory, speeds, losses, losses by bits of keys and values for each model, and for each
/// explanation what its bits do layer by layer; what nothing was measured for is left out.
std::vector<Chart> charts_of(const Results& results);

/// The file that charts.gp draws. No text in it can end its quotes.
std::string drawing(const Chart& chart);

/// A number for people: 8,192 or 0.01235.
std::string number(double value);

Table table(const Chart& chart);

}  // namespace kvsplit::report
