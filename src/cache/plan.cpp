#include "cache/plan.h"

namespace kvsplit {

RowFormat Plan::format(int /*layer*/, Side side, int n_channels, bool host_rotates) const {
  const int bits = side == Side::key ? precision_.k_bits : precision_.v_bits;
  const bool rotate = precision_.rotate && !host_rotates && bits != 16;
  RowFormat format =
      uniform_format(n_channels, bits, rotate ? TransformKind::hadamard : TransformKind::identity);
  // A cell is exact on both sides or on none, and 16 bits are exact already.
  if (precision_.k_bits != 16 && precision_.v_bits != 16) {
    format.sinks = precision_.sinks;
    format.window = precision_.window;
  }
  return format;
}

}  // namespace kvsplit
