// One step's softmax: which rows see any of its cells, and the weights of those that do.

constexpr float weight_one = 16384.0F;  // an integer weight of 1

// The rows that a step is worked on for: from the first to the last that see any of its cells, and
// those between, whose weights there are 0.
struct StepMask {
  int first_row = 0;
  int n_rows = 0;
  std::uint8_t seen[cells_per_step];  // by cell: all bits set if any row sees it, else 0
  bool differs;                       // between the rows that see any
  bool visible[max_query_rows];       // by row: sees any
  const float* bias[max_query_rows];  // by row: what the mask adds; null: nothing
};

// Whether a step's mask adds nothing, as most do: cheaper to see than numbers are to read.
inline bool all_zero(const Half* halves) {
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(halves);
  return largest(load(bytes) | load(bytes + cells_per_step)) == 0;
}

// Reads a row's mask of the n cells of one step into `bias`. Returns whether the row sees any cell;
// bias_is_zero: sees all of them, unchanged.
inline bool read_mask(const Half* halves, int n, float* bias, bool& bias_is_zero) {
  Half tail[cells_per_step];
  if (n < cells_per_step) {
    for (int i = 0; i < cells_per_step; ++i) {
      tail[i] = i >= n ? half_minus_infinity : halves == nullptr ? Half{0} : halves[i];
    }
    halves = tail;
  }
  bias_is_zero = halves == nullptr || all_zero(halves);
  if (bias_is_zero) return true;
  F32 most = splat(-__builtin_inff());
  for (int i = 0; i < cells_per_step; i += lanes) {
    const F32 part = load_halves(halves + i);
    store(bias + i, part);
    most = maximum(most, part);
  }
  return largest(most) > -__builtin_inff();
}

// What a row sees of a step's cells, as StepMask::seen.
inline void see_through(const float* bias, std::uint8_t (&seen)[cells_per_step]) {
  for (int i = 0; i < cells_per_step; ++i) {
    seen[i] = bias == nullptr || bias[i] > -__builtin_inff() ? 0xFF : 0;
  }
}

inline void see_differently(const float* bias, StepMask& step) {
  std::uint8_t seen[cells_per_step];
  see_through(bias, seen);
  step.differs |= std::memcmp(step.seen, seen, sizeof(seen)) != 0;
  for (int i = 0; i < cells_per_step; ++i) step.seen[i] |= seen[i];
}

// Rows of one token (the heads of a group) share a mask, so it is read once for them.
inline void find_visible_rows(const AttendTask& task, std::int64_t cell, int n_cells,
                              StepMask& step) {
  int first = -1;
  int last = -1;
  step.differs = false;
  bool all_seen = true;  // by all rows so far
  bool visible = false;
  bool bias_is_zero = false;
  const float* bias = nullptr;
  for (int row = 0; row < task.queries.n_rows; ++row) {
    if (row == 0 || task.masks[row] != task.masks[row - 1]) {
      float* const room = task.scratch->bias[row];
      const Half* const mask = task.masks[row];
      visible = read_mask(mask == nullptr ? nullptr : mask + (cell - task.masked_from), n_cells,
                          room, bias_is_zero);
      bias = bias_is_zero ? nullptr : room;
    }
    step.visible[row] = visible;
    step.bias[row] = bias;
    if (!visible) continue;
    if (first < 0) {
      first = row;
      see_through(bias, step.seen);
    } else if (!(all_seen && bias == nullptr) && bias != step.bias[row - 1]) {
      see_differently(bias, step);
    }
    all_seen &= bias == nullptr;
    last = row;
  }
  step.first_row = first;
  step.n_rows = first < 0 ? 0 : last - first + 1;
}

// The scores of one row as softmax takes them, and the largest of them.
// Blocks that the step does not have were not scored: what lies there is anything, even NaN.
inline void find_maximum(const AttendTask& task, const StepMask& step, int n_blocks, int row) {
  float* const scores = task.scratch->scores[row];
  F32 s[step_blocks];
  for (int t = 0; t < step_blocks; ++t) {
    s[t] = t < n_blocks ? load(scores + t * lanes) : splat(lowest_score);
  }
  if (task.softcap != 0.0F) {
    for (F32& x : s) x = splat(task.softcap) * hyperbolic_tangent(x);
  }
  if (step.bias[row] != nullptr) {
    const F32 slope = splat(task.slopes[row]);
    for (int t = 0; t < step_blocks; ++t) {
      s[t] = multiply_add(slope, load(step.bias[row] + t * lanes), s[t]);
    }
  }
  for (int t = 0; t < step_blocks; ++t) store(scores + t * lanes, s[t]);
  task.scratch->step_max[row] = largest(maximum(maximum(s[0], s[1]), maximum(s[2], s[3])));
}

// How old sums and more are scaled to their common maximum, for 16 rows at a time.
inline void rescale(float* max, const float* more_max, int n_rows, float* keep, float* fresh) {
  for (int row = 0; row < n_rows; row += 16) {
    const F32 old_max = load(max + row);
    const F32 other_max = load(more_max + row);
    const F32 new_max = maximum(old_max, other_max);
    store(keep + row, exp2_not_positive(old_max - new_max));
    store(fresh + row, exp2_not_positive(other_max - new_max));
    store(max + row, new_max);
  }
}

// The sum of integer weights is the same in any order, and rounded as values are weighted.
inline F32 sum_in_any_order(const std::int16_t (&weights)[cells_per_step]) {
  int total = 0;
  for (const std::int16_t weight : weights) total += weight;
  float sums[lanes] = {static_cast<float>(total) / weight_one};
  return load(sums);
}

// Scores of one row become weights relative to the step's own maximum, so that as integers they use
// all of their bits however small the step's share of the whole is.
inline void weigh_row(const AttendTask& task, int row) {
  KernelScratch& scratch = *task.scratch;
  float* const scores = scratch.scores[row];
  const F32 step_max = splat(scratch.step_max[row]);
  F32 total = splat(0.0F);
  for (int t = 0; t < step_blocks; ++t) {
    const F32 weight = exp2_not_positive(load(scores + t * lanes) - step_max);
    store(scores + t * lanes, weight);
    store_i16(scratch.weights[row] + t * lanes, rounded_product(weight, weight_one));
    total = total + weight;
  }
  if (task.unordered) total = sum_in_any_order(scratch.weights[row]);
  float* const sums = task.state.sums + row * lanes;
  const F32 fresh = total * splat(scratch.fresh[row]);
  store(sums, multiply_add(load(sums), splat(scratch.keep[row]), fresh));
}

inline void forget_row(const AttendTask& task, int row) {
  for (int i = 0; i < cells_per_step; i += lanes) {
    store(task.scratch->scores[row] + i, splat(0.0F));
    store_i16(task.scratch->weights[row] + i, zero_i32());
  }
}

// Maxima of all rows come first: what waits for a row's own would fill the processor's queue.
inline void softmax_step(const AttendTask& task, const StepMask& step, int n_blocks) {
  KernelScratch& scratch = *task.scratch;
  for (int row = 0; row < task.queries.n_rows; row += lanes) {
    store(scratch.step_max + row, splat(lowest_score));
  }
  const int end = step.first_row + step.n_rows;
  for (int row = step.first_row; row < end; ++row) {
    if (step.visible[row]) find_maximum(task, step, n_blocks, row);
  }
  rescale(task.state.max, scratch.step_max, task.queries.n_rows, scratch.keep, scratch.fresh);
  for (int row = step.first_row; row < end; ++row) {
    if (step.visible[row]) {
      weigh_row(task, row);
    } else {
      forget_row(task, row);
    }
  }
}
