#include "report/numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace kvsplit::report {
namespace {

/// Decimals that show three digits of a value other than 0.
int decimals(double value) {
  const int magnitude = static_cast<int>(std::floor(std::log10(std::abs(value))));
  return std::clamp(2 - magnitude, 0, 9);
}

}  // namespace

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
