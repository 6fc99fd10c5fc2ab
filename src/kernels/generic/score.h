// Scores of query rows against the keys of one step, a tile.

// The keys of a step, ready for products: each group's codes (or f16 numbers) and scales.
struct StepKeys {
  int n_blocks = 0;  // that hold any of the step's cells
  const std::uint8_t* codes[max_head_groups];
  const std::uint8_t* scales[max_head_groups];
};

template <int bits>
void unpack_keys(const std::uint8_t* block, int n_blocks, std::uint8_t* codes) {
  for (int i = 0; i < n_blocks; ++i, block += 32 * bits, codes += 256) {
    store_bytes(codes, unpack_quarter<bits, 0>(block));
    store_bytes(codes + 64, unpack_quarter<bits, 1>(block));
    store_bytes(codes + 128, unpack_quarter<bits, 2>(block));
    store_bytes(codes + 192, unpack_quarter<bits, 3>(block));
  }
}

using UnpackKeys = void (*)(const std::uint8_t*, int, std::uint8_t*);

constexpr UnpackKeys unpack_keys_of[8] = {nullptr,        unpack_keys<1>, unpack_keys<2>,
                                          unpack_keys<3>, unpack_keys<4>, unpack_keys<5>,
                                          unpack_keys<6>, unpack_keys<7>};

// Codes of 8 bits are bytes where they lie.
inline void prepare_keys(const AttendTask& task, std::int64_t tile, StepKeys& keys) {
  std::uint8_t* room = task.scratch->key_codes;
  for (std::size_t g = 0; g < task.k_groups.size(); ++g) {
    const GroupTiles& group = task.k_groups[g];
    keys.codes[g] = tile_blocks_of(group, tile);
    keys.scales[g] = tile_scales(group, tile);
    if (group.bits >= 8) continue;
    unpack_keys_of[group.bits](keys.codes[g], keys.n_blocks, room);
    keys.codes[g] = room;
    room += cells_per_step * lanes;
  }
}

// Four channels of 16 keys per product: per quarter of codes one load per block and, per row, one
// broadcast of four query codes and one product per block.
template <int N, int T>
inline void score_coded_group(const AttendTask& task, const StepKeys& keys, std::size_t g,
                              int first_block, int first_row, F32 (&scores)[T][N]) {
  const QueryRows& queries = task.queries;
  const std::uint8_t* const codes = keys.codes[g] + first_block * 256;
  const std::int8_t* const q = queries.codes + first_row * max_kernel_head_dim + g * lanes;
  Dot sums[T][N];
  for (int t = 0; t < T; ++t) {
    for (int n = 0; n < N; ++n) sums[t][n] = zero_dot();
  }
  for (int d = 0; d < 4; ++d) {
    Bytes quarter[T];
    for (int t = 0; t < T; ++t) quarter[t] = load_bytes(codes + t * 256 + d * 64);
    for (int n = 0; n < N; ++n) {
      for (int t = 0; t < T; ++t) {
        sums[t][n] = dot4(sums[t][n], quarter[t], q + n * max_kernel_head_dim + d * 4);
      }
    }
  }
  const std::uint32_t lowest = lowest_scale_bits(task.k_groups[g].bits);
  for (int t = 0; t < T; ++t) {
    const F32 k_scale = load_scales(keys.scales[g] + (first_block + t) * lanes, lowest);
    for (int n = 0; n < N; ++n) {
      const int at = (first_row + n) * max_head_groups + static_cast<int>(g);
      const F32 product = multiply_add(to_f32(finish(sums[t][n])), splat(queries.scales[at]),
                                       splat(queries.offsets[at]));
      scores[t][n] = multiply_add(product, k_scale, scores[t][n]);
    }
  }
}

template <int N, int T>
inline void score_half_group(const AttendTask& task, const StepKeys& keys, std::size_t g,
                             int first_block, int first_row, F32 (&scores)[T][N]) {
  const std::uint8_t* const numbers = keys.codes[g] + first_block * 512;
  const float* const q = task.queries.numbers + first_row * max_kernel_head_dim + g * lanes;
  for (int c = 0; c < lanes; ++c) {
    F32 k[T];
    for (int t = 0; t < T; ++t) k[t] = load_halves(numbers + t * 512 + c * 32);
    for (int n = 0; n < N; ++n) {
      const F32 number = splat(q[n * max_kernel_head_dim + c]);
      for (int t = 0; t < T; ++t) scores[t][n] = multiply_add(number, k[t], scores[t][n]);
    }
  }
}

template <int N, int T>
inline void score_blocks(const AttendTask& task, const StepKeys& keys, int first_block,
                         int first_row) {
  F32 scores[T][N];
  for (int t = 0; t < T; ++t) {
    for (int n = 0; n < N; ++n) scores[t][n] = splat(0.0F);
  }
  for (std::size_t g = 0; g < task.k_groups.size(); ++g) {
    if (task.k_groups[g].bits == 16) {
      score_half_group<N, T>(task, keys, g, first_block, first_row, scores);
    } else {
      score_coded_group<N, T>(task, keys, g, first_block, first_row, scores);
    }
  }
  for (int t = 0; t < T; ++t) {
    for (int n = 0; n < N; ++n) {
      store(task.scratch->scores[first_row + n] + (first_block + t) * lanes, scores[t][n]);
    }
  }
}

inline void score_step(const AttendTask& task, const StepKeys& keys, int first_row, int n_rows) {
  in_batches<row_batch>(n_rows, [&](auto batch, int first) {
    constexpr int n = decltype(batch)::n;
    constexpr int blocks = score_sums >= 4 * n ? 4 : score_sums >= 2 * n ? 2 : 1;
    int block = 0;
    for (; block + blocks <= keys.n_blocks; block += blocks) {
      score_blocks<n, blocks>(task, keys, block, first_row + first);
    }
    for (; block < keys.n_blocks; ++block) score_blocks<n, 1>(task, keys, block, first_row + first);
  });
}
