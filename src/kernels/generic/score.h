// Scores of query rows against the keys of one step (up to four tiles).

constexpr int tiles_per_step = cells_per_step / kernel_tile_rows;

// The keys of a step, ready for products: each group's codes (or f16 numbers) and scales by tile.
struct StepKeys {
  int n_tiles = 0;
  const std::uint8_t* codes[max_head_groups][tiles_per_step];
  const std::byte* scales[max_head_groups][tiles_per_step];
};

inline void prepare_keys(const AttendTask& task, std::int64_t first_tile, StepKeys& keys) {
  std::uint8_t* room = task.scratch->codes;
  for (std::size_t g = 0; g < task.k_groups.size(); ++g) {
    for (int t = 0; t < keys.n_tiles; ++t) {
      keys.codes[g][t] = tile_codes(task.k_groups[g], first_tile + t, room);
      keys.scales[g][t] = tile_scales(task.k_groups[g], first_tile + t);
    }
  }
}

// One score vector per tile and row is added up in memory over the groups; the first group sets it.
inline F32 score_so_far(const float* score, std::size_t g) {
  return g == 0 ? splat(0.0F) : load(score);
}

// Four channels of 16 keys per product: per quarter of codes one load per tile and, per row, one
// broadcast of four query codes and one product per tile.
template <int N, int T>
inline void score_coded_group(const AttendTask& task, const StepKeys& keys, std::size_t g,
                              int first_tile, const int* rows) {
  const GroupTiles& group = task.k_groups[g];
  const QueryRows& queries = task.queries;
  const std::int8_t* q[N];
  for (int n = 0; n < N; ++n)
    q[n] = queries.codes + rows[n] * task.head_dim_k + group.first_channel;
  Dot sums[T][N];
  for (int t = 0; t < T; ++t) {
    for (int n = 0; n < N; ++n) sums[t][n] = zero_dot();
  }
  const int n_quarters = group.n_blocks * 4;
  for (int d = 0; d < n_quarters; ++d) {
    Bytes codes[T];
    for (int t = 0; t < T; ++t) codes[t] = load_bytes(keys.codes[g][first_tile + t] + d * 64);
    for (int n = 0; n < N; ++n) {
      for (int t = 0; t < T; ++t) sums[t][n] = dot4(sums[t][n], codes[t], q[n] + d * 4);
    }
  }
  for (int t = 0; t < T; ++t) {
    const F32 k_scale = load_halves(keys.scales[g][first_tile + t]);
    for (int n = 0; n < N; ++n) {
      const int at = rows[n] * max_head_groups + static_cast<int>(g);
      const F32 product = multiply_add(to_f32(finish(sums[t][n])), splat(queries.scales[at]),
                                       splat(queries.offsets[at]));
      float* const score = task.scratch->scores[rows[n]] + (first_tile + t) * kernel_tile_rows;
      store(score, multiply_add(product, k_scale, score_so_far(score, g)));
    }
  }
}

template <int N, int T>
inline void score_half_group(const AttendTask& task, const StepKeys& keys, std::size_t g,
                             int first_tile, const int* rows) {
  const GroupTiles& group = task.k_groups[g];
  const float* q[N];
  for (int n = 0; n < N; ++n) {
    q[n] = task.queries.numbers + rows[n] * task.head_dim_k + group.first_channel;
  }
  F32 sums[T][N];
  for (int t = 0; t < T; ++t) {
    for (int n = 0; n < N; ++n) sums[t][n] = splat(0.0F);
  }
  for (int c = 0; c < group.n_blocks * 16; ++c) {
    F32 k[T];
    for (int t = 0; t < T; ++t) k[t] = load_halves(keys.codes[g][first_tile + t] + c * 32);
    for (int n = 0; n < N; ++n) {
      for (int t = 0; t < T; ++t) sums[t][n] = multiply_add(splat(q[n][c]), k[t], sums[t][n]);
    }
  }
  for (int t = 0; t < T; ++t) {
    for (int n = 0; n < N; ++n) {
      float* const score = task.scratch->scores[rows[n]] + (first_tile + t) * kernel_tile_rows;
      store(score, score_so_far(score, g) + sums[t][n]);
    }
  }
}

template <int N, int T>
inline void score_tiles(const AttendTask& task, const StepKeys& keys, int first_tile,
                        const int* rows) {
  for (std::size_t g = 0; g < task.k_groups.size(); ++g) {
    if (task.k_groups[g].bits == 16) {
      score_half_group<N, T>(task, keys, g, first_tile, rows);
    } else {
      score_coded_group<N, T>(task, keys, g, first_tile, rows);
    }
  }
}

inline void score_step(const AttendTask& task, const StepKeys& keys, const int* rows, int n_rows) {
  in_batches<row_batch>(n_rows, [&](auto batch, int first) {
    constexpr int n = decltype(batch)::n;
    constexpr int tiles = score_sums >= 4 * n ? 4 : score_sums >= 2 * n ? 2 : 1;
    int tile = 0;
    for (; tile + tiles <= keys.n_tiles; tile += tiles) {
      score_tiles<n, tiles>(task, keys, tile, rows + first);
    }
    for (; tile < keys.n_tiles; ++tile) score_tiles<n, 1>(task, keys, tile, rows + first);
  });
}
