#pragma once

#include <vector>

#include "cache/plan.h"
#include "tune/reading.h"

namespace kvsplit::tune {

/// The text's windows, and all but its caches.
struct CalibrationCall : measure::ComparisonCall {
  int frame_cells = 256;
};

/// Learns a plan from text.
std::vector<PlannedLayer> calibrate(const CalibrationCall& call);

}  // namespace kvsplit::tune
