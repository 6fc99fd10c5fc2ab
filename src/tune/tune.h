#pragma once

#include <string>
#include <vector>

#include "cache/plan.h"
#include "tune/losses.h"

namespace kvsplit::tune {

struct TuneCall {
  measure::ComparisonCall measured;  ///< all but its caches
  std::string plan;                  ///< file of the plan to begin with
  std::string losses, search;        ///< measure_losses()'s file, and what it is of
  Share share;
};

/// The plan's layers with variances in one unit, that of the loss: those of each side of each layer
/// are multiplied by the KL that was measured with only it packed, in 3 bits, over the error that
/// the plan expects of it there. Bits of all layers and both sides can then come from one budget.
std::vector<PlannedLayer> tune(const TuneCall& call);

}  // namespace kvsplit::tune
