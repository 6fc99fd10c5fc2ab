#include "cache/plan.h"

#include "cache/plan_file.h"

namespace kvsplit {

RowFormat Plan::format(int layer, Side side, int n_channels, bool host_rotates) const {
  const int bits = side == Side::key ? precision_.k_bits : precision_.v_bits;
  const bool rotate = precision_.rotate && !host_rotates && bits != 16;
  RowFormat format =
      uniform_format(n_channels, bits, rotate ? TransformKind::hadamard : TransformKind::identity);
  const bool exact = has_exact_rows(precision_) && bits <= most_inexact_bits;
  if (!precision_.plan.empty() && bits != 16) {
    const bool whole_scales = !exact || precision_.sinks == 0;
    const auto planned =
        open_plan(precision_.plan)->format(layer, side, n_channels, bits, whole_scales);
    if (planned) format = *planned;
  }
  if (has_exact_rows(precision_)) {
    format.sinks = precision_.sinks;
    format.window = precision_.window;
    format.exact_saved = exact;
  }
  return format;
}

}  // namespace kvsplit
