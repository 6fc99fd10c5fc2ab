// Adding up the values of one step, weighted, for all rows of a task.

constexpr float weight_one = 32767.0F;  // the largest weight of a row's step as an integer

// What a row's 16-bit integer weights of one step and group stand for.
struct IntegerWeights {
  float unit;        // what an integer of 1 weighs
  float middle_sum;  // Σ integers · middle of the code range
};

// The values' scales of one group in a step.
struct StepScales {
  F32 scale[tiles_per_step];
  F32 relative[tiles_per_step];  // · weight_one / largest
  float largest;
};

inline IntegerWeights round_weights(const F32* products, F32* factors, float unit, int n_tiles,
                                    float middle, std::int16_t* out) {
  I32 total = zero_i32();
  for (int t = 0; t < n_tiles; ++t) {
    const I32 integers = round_to_i32(products[t] * factors[t]);
    store_i16(out + t * kernel_tile_rows, integers);
    total = total + integers;
  }
  return {unit, middle * static_cast<float>(sum(total))};
}

// weight · the value's scale as 16-bit integers, so that the sum over tokens is one of integers.
// Their unit comes from cells that the row sees and from nothing else: all of the step's, where it
// sees them all (no bias), otherwise those that have weight. So no row notices cells or rows beside
// it. The absolute error is 2^-16 of the largest scale, or product, among those.
inline IntegerWeights integer_weights(const float* weights, const StepScales& scales, bool sees_all,
                                      int n_tiles, float middle, std::int16_t* out) {
  F32 products[tiles_per_step];
  F32 factors[tiles_per_step];
  float most = scales.largest;
  for (int t = 0; t < n_tiles; ++t) {
    products[t] = load(weights + t * kernel_tile_rows);
    factors[t] = scales.relative[t];
  }
  if (!sees_all) {
    F32 largest_product = splat(0.0F);
    for (int t = 0; t < n_tiles; ++t) {
      products[t] = products[t] * scales.scale[t];
      largest_product = maximum(largest_product, products[t]);
    }
    most = largest(largest_product);
    for (int t = 0; t < n_tiles; ++t) factors[t] = splat(most > 0.0F ? weight_one / most : 0.0F);
  }
  return round_weights(products, factors, most / weight_one, n_tiles, middle, out);
}

inline StepScales step_scales(const GroupTiles& group, std::int64_t first_tile, int n_tiles) {
  StepScales scales;
  F32 most = splat(0.0F);
  for (int t = 0; t < n_tiles; ++t) {
    scales.scale[t] = load_halves(tile_scales(group, first_tile + t));
    most = maximum(most, scales.scale[t]);
  }
  scales.largest = largest(most);
  const F32 inverse = splat(scales.largest > 0.0F ? weight_one / scales.largest : 0.0F);
  for (int t = 0; t < n_tiles; ++t) scales.relative[t] = scales.scale[t] * inverse;
  return scales;
}

// The codes (or f16 numbers) of one group's values in a step.
struct StepValues {
  int n_tiles = 0;
  const std::uint8_t* codes[tiles_per_step];
};

// B blocks of 16 channels for N rows: per pair of tokens one load per block and, per row, one
// broadcast of two weights and one product per block. Sums fit: 64 · 32767 · 255 < 2^31.
template <int N, int B>
inline void accumulate_coded(const AttendTask& task, const GroupTiles& group,
                             const StepValues& values, int first_block, const int* rows,
                             const IntegerWeights* integers) {
  const std::int16_t* weights[N];
  for (int n = 0; n < N; ++n) weights[n] = task.scratch->weights[rows[n]];
  I32 sums[B][N];
  for (int b = 0; b < B; ++b) {
    for (int n = 0; n < N; ++n) sums[b][n] = zero_i32();
  }
  for (int t = 0; t < values.n_tiles; ++t) {
    const std::uint8_t* const codes = values.codes[t] + first_block * 256;
    for (int pair = 0; pair < kernel_tile_rows / 2; ++pair) {
      Pairs v[B];
      for (int b = 0; b < B; ++b) v[b] = load_pairs(codes + b * 256 + pair * 32);
      for (int n = 0; n < N; ++n) {
        for (int b = 0; b < B; ++b) {
          sums[b][n] = dot2(sums[b][n], v[b], weights[n] + t * kernel_tile_rows + pair * 2);
        }
      }
    }
  }
  for (int n = 0; n < N; ++n) {
    const F32 offset = splat(integers[rows[n]].middle_sum);
    const F32 unit = splat(integers[rows[n]].unit * task.scratch->fresh[rows[n]]);
    const F32 keep = splat(task.scratch->keep[rows[n]]);
    float* const out =
        task.state.out + rows[n] * task.head_dim_v + group.first_channel + first_block * 16;
    for (int b = 0; b < B; ++b) {
      const F32 fresh = (to_f32(sums[b][n]) - offset) * unit;
      store(out + b * 16, multiply_add(load(out + b * 16), keep, fresh));
    }
  }
}

template <int N>
inline void accumulate_halves(const AttendTask& task, const GroupTiles& group,
                              const StepValues& values, int block, const int* rows) {
  F32 sums[N];
  for (int n = 0; n < N; ++n) sums[n] = splat(0.0F);
  for (int t = 0; t < values.n_tiles; ++t) {
    const std::uint8_t* const numbers = values.codes[t] + block * 512;
    for (int i = 0; i < kernel_tile_rows; ++i) {
      const F32 v = load_halves(numbers + i * 32);
      for (int n = 0; n < N; ++n) {
        const float weight = task.scratch->scores[rows[n]][t * kernel_tile_rows + i];
        sums[n] = multiply_add(splat(weight), v, sums[n]);
      }
    }
  }
  for (int n = 0; n < N; ++n) {
    const F32 keep = splat(task.scratch->keep[rows[n]]);
    const F32 fresh = splat(task.scratch->fresh[rows[n]]);
    float* const out =
        task.state.out + rows[n] * task.head_dim_v + group.first_channel + block * 16;
    store(out, multiply_add(load(out), keep, sums[n] * fresh));
  }
}

inline void accumulate_coded_group(const AttendTask& task, const GroupTiles& group,
                                   std::int64_t first_tile, int n_tiles, const StepMask& mask) {
  StepValues values{n_tiles, {}};
  std::uint8_t* room = task.scratch->codes;
  for (int t = 0; t < n_tiles; ++t) values.codes[t] = tile_codes(group, first_tile + t, room);
  const StepScales scales = step_scales(group, first_tile, n_tiles);
  const float middle = static_cast<float>((1 << group.bits) - 1) / 2;
  IntegerWeights integers[max_query_rows];
  for (int i = 0; i < mask.n_rows; ++i) {
    const int row = mask.rows[i];
    integers[row] = integer_weights(task.scratch->scores[row], scales, mask.bias[row] == nullptr,
                                    n_tiles, middle, task.scratch->weights[row]);
  }
  in_batches<row_batch>(mask.n_rows, [&](auto batch, int first) {
    constexpr int n = decltype(batch)::n;
    const int* const rows = mask.rows + first;
    int block = 0;
    for (; block + 2 <= group.n_blocks; block += 2) {
      accumulate_coded<n, 2>(task, group, values, block, rows, integers);
    }
    if (block < group.n_blocks) {
      accumulate_coded<n, 1>(task, group, values, block, rows, integers);
    }
  });
}

inline void accumulate_half_group(const AttendTask& task, const GroupTiles& group,
                                  std::int64_t first_tile, int n_tiles, const StepMask& mask) {
  StepValues values{n_tiles, {}};
  std::uint8_t* room = nullptr;
  for (int t = 0; t < n_tiles; ++t) values.codes[t] = tile_codes(group, first_tile + t, room);
  for (int block = 0; block < group.n_blocks; ++block) {
    in_batches<row_batch>(mask.n_rows, [&](auto batch, int first) {
      constexpr int n = decltype(batch)::n;
      accumulate_halves<n>(task, group, values, block, mask.rows + first);
    });
  }
}

inline void accumulate_step(const AttendTask& task, std::int64_t first_tile, int n_tiles,
                            const StepMask& mask) {
  for (const GroupTiles& group : task.v_groups) {
    if (group.bits == 16) {
      accumulate_half_group(task, group, first_tile, n_tiles, mask);
    } else {
      accumulate_coded_group(task, group, first_tile, n_tiles, mask);
    }
  }
}
