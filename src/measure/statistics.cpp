#include "measure/statistics.h"

#include <algorithm>
#include <vector>

namespace kvsplit::measure {
namespace {

double median(std::span<const double> sorted) {
  const std::size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

}  // namespace

Rate rate(std::span<const double> rounds, std::span<const double> baseline) {
  std::vector<double> sorted(rounds.begin(), rounds.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<double> ratios(std::min(rounds.size(), baseline.size()));
  for (std::size_t i = 0; i < ratios.size(); ++i) ratios[i] = rounds[i] / baseline[i];
  std::sort(ratios.begin(), ratios.end());
  return {median(sorted), sorted.front(), sorted.back(), median(ratios)};
}

}  // namespace kvsplit::measure
