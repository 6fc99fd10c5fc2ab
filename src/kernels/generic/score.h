// Scores of query rows against the keys of one step, a tile.

// The keys of a step: each group's codes (or f16 numbers) and scales.
struct StepKeys {
  int n_blocks = 0;           // that hold any of the step's cells
  int bits[max_head_groups];  // of the codes as they lie there: unpacked ones have 8
  const std::uint8_t* codes[max_head_groups];
  const std::uint8_t* scales[max_head_groups];
};

template <int bits>
void unpack_keys(const std::uint8_t* block, int n_blocks, std::uint8_t* codes) {
  for (int i = 0; i < n_blocks; ++i, block += 32 * bits, codes += 256) {
    store(codes, unpack_quarter<bits, 0>(block));
    store(codes + 64, unpack_quarter<bits, 1>(block));
    store(codes + 128, unpack_quarter<bits, 2>(block));
    store(codes + 192, unpack_quarter<bits, 3>(block));
  }
}

constexpr auto unpack_keys_of =
    by_width<1, 2, 3, 4, 5, 6, 7>([](auto width) { return unpack_keys<decltype(width)::n>; });

// For many rows, codes are unpacked once for all of them; for few, where they are used.
inline void prepare_keys(const AttendTask& task, std::int64_t tile, bool unpack, StepKeys& keys) {
  std::uint8_t* room = task.scratch->key_codes;
  for (std::size_t g = 0; g < task.k_groups.size(); ++g) {
    const GroupTiles& group = task.k_groups[g];
    keys.bits[g] = group.bits;
    keys.codes[g] = tile_blocks_of(group, tile);
    keys.scales[g] = tile_scales(group, tile, task.scratch->key_scales[g]);
    if (!unpack || group.bits >= 8) continue;
    unpack_keys_of[group.bits - 1](keys.codes[g], keys.n_blocks, room);
    keys.bits[g] = 8;
    keys.codes[g] = room;
    room += cells_per_step * lanes;
  }
}

// What one call scores: T blocks of 16 keys, from first_block on, for N rows, over neighbouring
// groups whose codes have the same width.
struct ScoreRun {
  std::size_t first_group, end_group;
  int first_block, first_row;
};

// Of T blocks of keys and N rows: sums of products with the queries' codes and their low codes.
template <int N, int T>
struct CodeSums {
  Dot high[T][N], low[T][N];
};

struct QueryCodes {
  const std::int8_t *high, *low;
};

// Four channels of 16 keys per product: per quarter of codes one load per block and, per row, one
// broadcast of four query codes and one product per block.
template <int bits, int quarter, bool fine, int N, int T>
inline void score_quarter(const std::uint8_t* codes, QueryCodes q, CodeSums<N, T>& sums) {
  Bytes unpacked[T];
  for (int t = 0; t < T; ++t) unpacked[t] = unpack_quarter<bits, quarter>(codes + t * 32 * bits);
  for (int n = 0; n < N; ++n) {
    const int four = n * max_query_channels + quarter * 4;
    for (int t = 0; t < T; ++t) {
      sums.high[t][n] = dot4(sums.high[t][n], unpacked[t], q.high + four);
      if constexpr (fine) sums.low[t][n] = dot4(sums.low[t][n], unpacked[t], q.low + four);
    }
  }
}

template <int bits, bool fine, int N, int T>
inline void score_coded_group(const AttendTask& task, const StepKeys& keys, const ScoreRun& run,
                              std::size_t g, F32 (&scores)[T][N]) {
  const QueryRows& queries = task.queries;
  const std::uint8_t* const codes = keys.codes[g] + run.first_block * 32 * bits;
  const std::size_t first = run.first_row * max_query_channels + g * lanes;
  const QueryCodes q{queries.codes + first, fine ? queries.low_codes + first : nullptr};
  CodeSums<N, T> sums;
  for (int t = 0; t < T; ++t) {
    for (int n = 0; n < N; ++n) sums.high[t][n] = sums.low[t][n] = Dot{};
  }
  score_quarter<bits, 0, fine>(codes, q, sums);
  score_quarter<bits, 1, fine>(codes, q, sums);
  score_quarter<bits, 2, fine>(codes, q, sums);
  score_quarter<bits, 3, fine>(codes, q, sums);
  const std::uint32_t lowest = lowest_scale_bits(task.k_groups[g].bits);
  for (int t = 0; t < T; ++t) {
    const F32 k_scale = load_scales(keys.scales[g] + (run.first_block + t) * lanes, lowest);
    for (int n = 0; n < N; ++n) {
      const std::size_t at = (run.first_row + n) * max_head_groups + g;
      F32 sum = to_f32(finish(sums.high[t][n]));
      if constexpr (fine) sum = multiply_add(sum, splat(256), to_f32(finish(sums.low[t][n])));
      sum = multiply_add(sum, splat(queries.scales[at]), splat(queries.offsets[at]));
      scores[t][n] = multiply_add(sum, k_scale, scores[t][n]);
    }
  }
}

template <int N, int T>
inline void score_half_group(const AttendTask& task, const StepKeys& keys, const ScoreRun& run,
                             std::size_t g, F32 (&scores)[T][N]) {
  const std::uint8_t* const numbers = keys.codes[g] + run.first_block * 512;
  const float* const q = task.queries.numbers + run.first_row * max_query_channels + g * lanes;
  for (int c = 0; c < lanes; ++c) {
    F32 k[T];
    for (int t = 0; t < T; ++t) k[t] = load_halves(numbers + t * 512 + c * 32);
    for (int n = 0; n < N; ++n) {
      const F32 number = splat(q[n * max_query_channels + c]);
      for (int t = 0; t < T; ++t) scores[t][n] = multiply_add(number, k[t], scores[t][n]);
    }
  }
}

// Scores are added up in memory from run to run; the first sets them.
template <int bits, bool fine, int N, int T>
void score_run(const AttendTask& task, const StepKeys& keys, const ScoreRun& run) {
  const auto at = [&](int t, int n) {
    return task.scratch->scores[run.first_row + n] + (run.first_block + t) * lanes;
  };
  F32 scores[T][N];
  for (int t = 0; t < T; ++t) {
    for (int n = 0; n < N; ++n) scores[t][n] = run.first_group == 0 ? splat(0.0F) : load(at(t, n));
  }
  for (std::size_t g = run.first_group; g < run.end_group; ++g) {
    if constexpr (bits == 16) {
      score_half_group(task, keys, run, g, scores);
    } else {
      score_coded_group<bits, fine>(task, keys, run, g, scores);
    }
  }
  for (int t = 0; t < T; ++t) {
    for (int n = 0; n < N; ++n) store(at(t, n), scores[t][n]);
  }
}

template <bool fine, int N, int T>
constexpr auto score_run_of = by_width<16, 1, 2, 3, 4, 5, 6, 7, 8>([](auto width) {
  constexpr int bits = decltype(width)::n;
  return score_run<bits, (fine && bits != 16), N, T>;
});

template <bool fine, int N, int T>
inline void score_groups(const AttendTask& task, const StepKeys& keys, ScoreRun& run,
                         std::size_t end) {
  for (; run.first_group < end; run.first_group = run.end_group) {
    const int bits = keys.bits[run.first_group];
    while (run.end_group < end && keys.bits[run.end_group] == bits) ++run.end_group;
    if constexpr (N <= few_rows) {
      score_run_of<fine, N, T>[bits % 16](task, keys, run);
    } else if (bits == 16) {
      score_run<16, false, N, T>(task, keys, run);
    } else {
      score_run<8, fine, N, T>(task, keys, run);
    }
  }
}

template <int N, int T>
inline void score_blocks(const AttendTask& task, const StepKeys& keys, int first_block,
                         int first_row) {
  ScoreRun run{0, 0, first_block, first_row};
  score_groups<true, N, T>(task, keys, run, task.queries.n_fine);
  score_groups<false, N, T>(task, keys, run, task.k_groups.size());
}

inline void score_step(const AttendTask& task, const StepKeys& keys, int first_row, int n_rows) {
  in_batches<score_batch>(n_rows, [&](auto batch, int first) {
    constexpr int n = decltype(batch)::n;
    constexpr int blocks = score_sums >= 4 * n ? 4 : score_sums >= 2 * n ? 2 : 1;
    int block = 0;
    for (; block + blocks <= keys.n_blocks; block += blocks) {
      score_blocks<n, blocks>(task, keys, block, first_row + first);
    }
    for (; block < keys.n_blocks; ++block) score_blocks<n, 1>(task, keys, block, first_row + first);
  });
}
