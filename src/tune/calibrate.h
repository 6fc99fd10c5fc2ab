#pragma once

#include <span>
#include <vector>

#include "cache/plan.h"
#include "host/context.h"
#include "measure/cache_set.h"

namespace kvsplit::tune {

struct CalibrationCall {
  const host::Model* model = nullptr;   ///< on KVSPLIT
  std::span<const host::Token> tokens;  ///< cut into windows from its start
  int window = 1024;
  int n_windows = 8;
  int frame_cells = 256;
  int n_threads = 1;
  measure::Progress progress = measure::no_progress;
};

/// Learns a plan from text.
std::vector<PlannedLayer> calibrate(const CalibrationCall& call);

}  // namespace kvsplit::tune
