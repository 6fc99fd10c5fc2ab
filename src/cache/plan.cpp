#include "cache/plan.h"

namespace kvsplit {

RowFormat Plan::format(int /*layer*/, Side side, int n_channels, bool host_rotates) const {
  const int bits = side == Side::key ? precision_.k_bits : precision_.v_bits;
  const bool rotate = precision_.rotate && !host_rotates && bits != 16;
  return uniform_format(n_channels, bits,
                        rotate ? TransformKind::hadamard : TransformKind::identity);
}

}  // namespace kvsplit
