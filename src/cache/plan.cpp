#include "cache/plan.h"

#include "cache/plan_file.h"

namespace kvsplit {

RowFormat plan_format(const Precision& precision, int layer, Side side, int n_channels,
                      bool host_rotates) {
  const int bits = side == Side::key ? precision.k_bits : precision.v_bits;
  const bool rotate = precision.rotate && !host_rotates && bits != 16;
  RowFormat format =
      uniform_format(n_channels, bits, rotate ? TransformKind::hadamard : TransformKind::identity);
  const bool exact = has_exact_rows(precision) && bits <= most_inexact_bits;
  if (!precision.plan.empty() && bits != 16) {
    const bool whole_scales = !exact || precision.sinks == 0;
    const auto planned =
        open_plan(precision.plan)->format(layer, side, n_channels, bits, whole_scales);
    if (planned) format = *planned;
  }
  if (has_exact_rows(precision)) {
    format.sinks = precision.sinks;
    format.window = precision.window;
    format.exact_saved = exact;
  }
  return format;
}

}  // namespace kvsplit
