#pragma once

#include "cache/plan.h"
#include "codec/rotation.h"
#include "codec/row_format.h"

namespace kvsplit::test {

struct PlannedShape {
  int head_dim = 64, n_heads = 3;
  int bits = 8;
  int frame_cells = 0;      ///< keys only
  bool neighbours = false;  ///< planes of the rotation
  bool mean = true;
};

PlannedSide planned_side(const PlannedShape& shape);

/// A format as a plan makes them: a map of its own for each head, neither orthogonal nor made from
/// anything; short scales that reach over normal numbers in its space.
RowFormat planned_format(const PlannedShape& shape);

}  // namespace kvsplit::test
