// Adding up the values of one step, weighted, for all rows of a task.
//
// Per group of 16 channels the step's values become integers of 12 bits in a unit of its own, once
// for all rows; weights are integers of 15 bits; their products are added up in 32 bits:
//   64 cells · 16384 · 1912 < 2^31.

// Values as integers are (code − middle) · 2^8 · factor / 2^15. A cell's factor is the mantissa 8 +
// m of its scale, shifted left by so much less as its exponent is less than the largest. A factor
// at the largest exponent is 8 … 15 times 2^(11 − dropped_bits): wider codes leave it fewer.
constexpr int dropped_bits(int bits) { return bits > 4 ? bits - 4 : 0; }

// The largest code of a scale in a cell that any row sees: what lies in other cells decides
// nothing.
inline int largest_code(const StepMask& mask, const std::uint8_t* scales) {
  std::uint8_t seen[cells_per_step];
  for (int i = 0; i < cells_per_step; ++i) seen[i] = scales[i] & mask.seen[i];
  return largest(load(seen));
}

// Fills the scratch's value_factors for a group. Returns what 1 in its integer values times an
// integer weight of 1 is: 2^(e − 15 − bits) / 8 · 2^(15 − 8 − 11 + dropped) / weight_one, with the
// largest e.
inline float prepare_factors(const AttendTask& task, const StepMask& mask, const GroupTiles& group,
                             std::int64_t tile) {
  const std::uint8_t* const scales = tile_scales(group, tile, task.scratch->value_scales);
  const int exponent = largest_code(mask, scales) / 8;
  const int dropped = dropped_bits(group.bits);
  store_factors(task.scratch->value_factors, scales, exponent, dropped);
  const int log2_unit = exponent - 36 - group.bits + dropped;
  return std::bit_cast<float>(static_cast<std::uint32_t>(127 + log2_unit) << 23U);
}

template <int bits, int quarter>
inline void widen_quarter(const std::uint8_t* block, const std::int16_t* factors,
                          std::int16_t middle, std::int16_t* values) {
  const Bytes codes = unpack_quarter<bits, quarter>(block);
  store(values + quarter * 64, scaled(first_pairs(codes), middle, factors + quarter * 4));
  store(values + quarter * 64 + 32, scaled(last_pairs(codes), middle, factors + quarter * 4 + 2));
}

template <int bits>
void widen_values(const std::uint8_t* block, int n_blocks, const std::int16_t* factors,
                  std::int16_t* values) {
  constexpr std::int16_t middle = ((1 << bits) - 1) * 128;
  for (int i = 0; i < n_blocks; ++i) {
    widen_quarter<bits, 0>(block, factors, middle, values);
    widen_quarter<bits, 1>(block, factors, middle, values);
    widen_quarter<bits, 2>(block, factors, middle, values);
    widen_quarter<bits, 3>(block, factors, middle, values);
    block += 32 * bits;
    factors += lanes;
    values += 256;
  }
}

constexpr auto widen_values_of =
    by_width<1, 2, 3, 4, 5, 6, 7, 8>([](auto width) { return widen_values<decltype(width)::n>; });

// Adds a group's fresh sums, whole numbers of `unit`s or floats, to the output of N rows.
template <typename Sum, int N>
inline void add_to_output(const AttendTask& task, std::size_t group, float unit, int first_row,
                          const Sum (&sums)[N]) {
  for (int n = 0; n < N; ++n) {
    const int row = first_row + n;
    float* const out = task.state.out + row * task.head_dim_v + group * lanes;
    const F32 fresh = to_f32(sums[n]) * splat(unit * task.scratch->fresh[row]);
    store(out, multiply_add(load(out), splat(task.scratch->keep[row]), fresh));
  }
}

// For few rows, values go from packed bits into products without being stored in between.
template <int bits, int quarter, int N>
inline void accumulate_quarter(const std::uint8_t* block, const std::int16_t* factors,
                               const std::int16_t* weights, I32 (&sums)[N]) {
  constexpr std::int16_t middle = ((1 << bits) - 1) * 128;
  const Bytes codes = unpack_quarter<bits, quarter>(block);
  const Pairs first = scaled(first_pairs(codes), middle, factors + quarter * 4);
  const Pairs last = scaled(last_pairs(codes), middle, factors + quarter * 4 + 2);
  for (int n = 0; n < N; ++n) {
    const std::int16_t* const w = weights + n * cells_per_step + quarter * 4;
    sums[n] = dot2(sums[n], first, w);
    sums[n] = dot2(sums[n], last, w + 2);
  }
}

// A group's values in one step, and what their integers stand for.
struct StepValues {
  std::size_t group;
  const std::uint8_t* blocks;
  int n_blocks;
  float unit;
};

template <int bits, int N>
void accumulate_packed(const AttendTask& task, const StepValues& values, int first_row) {
  I32 sums[N];
  for (I32& sum : sums) sum = zero_i32();
  const std::uint8_t* block = values.blocks;
  const std::int16_t* factors = task.scratch->value_factors;
  const std::int16_t* weights = task.scratch->weights[first_row];
  for (int i = 0; i < values.n_blocks; ++i) {
    accumulate_quarter<bits, 0>(block, factors, weights, sums);
    accumulate_quarter<bits, 1>(block, factors, weights, sums);
    accumulate_quarter<bits, 2>(block, factors, weights, sums);
    accumulate_quarter<bits, 3>(block, factors, weights, sums);
    block += 32 * bits;
    factors += block_rows;
    weights += block_rows;
  }
  add_to_output(task, values.group, values.unit, first_row, sums);
}

template <int N>
constexpr auto accumulate_packed_of = by_width<1, 2, 3, 4, 5, 6, 7, 8>([](auto width) {
  return accumulate_packed<decltype(width)::n, N>;
});

// For many rows, values are widened once for all of them. Per pair of tokens one load per group
// and, per row, one broadcast of two weights and one product per group.
template <int N, int B>
inline void accumulate_widened(const AttendTask& task, const StepValues (&values)[B],
                               int first_row) {
  const std::int16_t* const weights = task.scratch->weights[first_row];
  I32 sums[B][N];
  for (auto& of_group : sums) {
    for (I32& sum : of_group) sum = zero_i32();
  }
#pragma GCC unroll 4
  for (int cell = 0; cell < values[0].n_blocks * block_rows; cell += 2) {
    Pairs v[B];
    for (int b = 0; b < B; ++b) v[b] = load(task.scratch->values[b] + cell * lanes);
    for (int n = 0; n < N; ++n) {
      const std::int16_t* const w = weights + n * cells_per_step + cell;
      for (int b = 0; b < B; ++b) sums[b][n] = dot2(sums[b][n], v[b], w);
    }
  }
  for (int b = 0; b < B; ++b) {
    add_to_output(task, values[b].group, values[b].unit, first_row, sums[b]);
  }
}

inline StepValues prepare_values(const AttendTask& task, const StepMask& mask, std::size_t group,
                                 std::int64_t tile, int n_blocks) {
  const GroupTiles& tiles = task.v_groups[group];
  return {group, tile_blocks_of(tiles, tile), n_blocks, prepare_factors(task, mask, tiles, tile)};
}

// Few rows take one group at a time: two would share the loads of weights, but then memory is read
// in two places at once, which costs more than that saves.
inline void accumulate_for_few(const AttendTask& task, const StepMask& mask,
                               const StepValues& values) {
  const int bits = task.v_groups[values.group].bits;
  leftover_batch<few_rows>(mask.first_row, mask.n_rows, [&](auto batch, int first_row) {
    accumulate_packed_of<decltype(batch)::n>[bits - 1](task, values, first_row);
  });
}

template <int B>
inline void accumulate_for_many(const AttendTask& task, const StepMask& mask, std::size_t group,
                                std::int64_t tile, int n_blocks) {
  StepValues values[B];
  for (int b = 0; b < B; ++b) {
    values[b] = prepare_values(task, mask, group + b, tile, n_blocks);
    widen_values_of[task.v_groups[group + b].bits - 1](
        values[b].blocks, n_blocks, task.scratch->value_factors, task.scratch->values[b]);
  }
  in_batches<row_batch>(mask.n_rows, [&](auto batch, int first) {
    accumulate_widened<decltype(batch)::n>(task, values, mask.first_row + first);
  });
}

template <int N>
inline void accumulate_halves(const AttendTask& task, const std::uint8_t* numbers,
                              std::size_t group, int n_blocks, int first_row) {
  F32 sums[N];
  for (F32& sum : sums) sum = splat(0.0F);
  for (int cell = 0; cell < n_blocks * block_rows; ++cell) {
    const F32 v = load_halves(numbers + cell * 32);
    for (int n = 0; n < N; ++n) {
      sums[n] = multiply_add(splat(task.scratch->scores[first_row + n][cell]), v, sums[n]);
    }
  }
  add_to_output(task, group, 1.0F, first_row, sums);
}

inline void accumulate_half_group(const AttendTask& task, const StepMask& mask, std::size_t group,
                                  std::int64_t tile, int n_blocks) {
  const std::uint8_t* const numbers = tile_blocks_of(task.v_groups[group], tile);
  in_batches<row_batch>(mask.n_rows, [&](auto batch, int first) {
    constexpr int n = decltype(batch)::n;
    accumulate_halves<n>(task, numbers, group, n_blocks, mask.first_row + first);
  });
}

// Rows that see different cells are added up token by token, each with units of its own: what a
// neighbour sees makes no difference to a row.
inline void accumulate_by_token(const AttendTask& task, const StepMask& mask, std::size_t group,
                                std::int64_t tile, int n_blocks) {
  StepMask own = mask;
  const int end = mask.first_row + mask.n_rows;
  for (int row = mask.first_row; row < end; row += own.n_rows) {
    own.first_row = row;
    own.n_rows = 1;
    while (row + own.n_rows < end && own.n_rows < few_rows &&
           task.masks[row + own.n_rows] == task.masks[row]) {
      ++own.n_rows;
    }
    if (!mask.visible[row]) continue;
    see_through(mask.bias[row], own.seen);
    accumulate_for_few(task, own, prepare_values(task, own, group, tile, n_blocks));
  }
}

// g++ takes functions that do nothing but this for ones without effect, and drops calls to them; so
// these two must be inlined before that.
[[gnu::always_inline]] inline void prefetch(const GroupTiles& group, std::int64_t tile) {
  const std::uint8_t* const next = tile_blocks_of(group, tile);
  const int scale_bytes = group.bits == 16 ? 0 : group.short_scale_base < 0 ? 64 : 32;
  const int bytes = group.bits * 128 + scale_bytes;
  for (int at = 0; at < bytes; at += 64) __builtin_prefetch(next + at);
}

// Asks for the next step's cache lines, keys too, a share with each group of values: all at once
// they would fill the processor's queue, and the memory would be idle while values are worked on.
// No tile: -1.
[[gnu::always_inline]] inline void prefetch_share(const AttendTask& task, std::size_t group,
                                                  std::int64_t tile) {
  if (tile < 0) return;
  prefetch(task.v_groups[group], tile);
  const std::size_t n_k = task.k_groups.size();
  const std::size_t n_v = task.v_groups.size();
  for (std::size_t k = group * n_k / n_v; k < (group + 1) * n_k / n_v; ++k) {
    prefetch(task.k_groups[k], tile);
  }
}

inline void accumulate_step(const AttendTask& task, const StepMask& mask, std::int64_t tile,
                            std::int64_t next_tile, int n_blocks) {
  const std::span<const GroupTiles> groups = task.v_groups;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    prefetch_share(task, g, next_tile);
    if (groups[g].bits == 16) {
      accumulate_half_group(task, mask, g, tile, n_blocks);
    } else if (mask.differs) {
      accumulate_by_token(task, mask, g, tile, n_blocks);
    } else if (mask.n_rows <= few_rows) {
      accumulate_for_few(task, mask, prepare_values(task, mask, g, tile, n_blocks));
    } else if (g + 1 < groups.size() && groups[g + 1].bits != 16) {
      accumulate_for_many<2>(task, mask, g++, tile, n_blocks);
      prefetch_share(task, g, next_tile);
    } else {
      accumulate_for_many<1>(task, mask, g, tile, n_blocks);
    }
  }
}
