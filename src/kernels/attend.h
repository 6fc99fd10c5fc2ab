#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/half.h"

// What the inner loops of attention are asked: some query rows of one KV head against a range of
// its packed cells. Everything about formats is data (a list of groups with widths), so keys and
// values of any widths meet in one loop; nothing is written twice for a pair.
namespace kvsplit {

inline constexpr int cells_per_step = 64;  ///< cells that share one softmax step: those of a tile
inline constexpr int max_query_rows = 64;  ///< query rows of one task
inline constexpr int max_kernel_head_dim = 256;
/// Groups of keys that queries meet, one that belongs to the place in a frame (codec/head_map.h)
/// among them.
inline constexpr int max_head_groups = max_kernel_head_dim / 16 + 1;
inline constexpr int max_query_channels = max_head_groups * 16;

/// The tiles of one group of 16 channels of one head (layout: codec/tile_layout.h).
struct GroupTiles {
  const std::byte* tiles = nullptr;  ///< the tile of cell 0, or else first_tile
  std::size_t tile_stride = 0;       ///< bytes from tile to tile
  int bits = 0;                      ///< 1 … 8, or 16
  int short_scale_base = -1;         ///< what short scale codes count from; -1: they are whole
  std::int64_t first_tile = 0;
  int n_blocks = cells_per_step / 16;  ///< of a tile, before its scales
};

/// Query rows, ready for products, in units of log2: the attention's scale times log2(e) is in
/// them, so that weights are powers of two. Row r's part for group g of the keys, 16 channels:
///   log2(e) · scale · q · k = scale_k · (scale[r, g] · Σ codes[r, c] · code_k[c] + offset[r, g])
/// with offset = −scale[r, g] · code_middle(bits of g) · Σ codes[r, c].
/// In the first n_fine groups a query's code is 256 · codes + low_codes.
struct QueryRows {
  int n_rows = 0;
  const std::int8_t* codes = nullptr;      ///< [n_rows, max_query_channels]
  const float* numbers = nullptr;          ///< [n_rows, max_query_channels], scaled; for 16 bits
  const float* scales = nullptr;           ///< [n_rows, max_head_groups]
  const float* offsets = nullptr;          ///< [n_rows, max_head_groups]
  const std::int8_t* low_codes = nullptr;  ///< [n_rows, max_query_channels]
  std::size_t n_fine = 0;
};

/// What the maximum of a row is before it has seen any cell: finite, so that differences are, and
/// below all scores.
inline constexpr float lowest_score = -1e30F;

/// Softmax so far of each row: out holds Σ 2^(s − max) · v; sums hold Σ 2^(s − max) in 16 parts.
/// Rows are rounded up to a multiple of 16 in max.
struct SoftmaxRows {
  float* max = nullptr;   ///< [n_rows]; lowest_score: the row has seen no cell
  float* sums = nullptr;  ///< [n_rows, 16]
  float* out = nullptr;   ///< [n_rows, head_dim_v]
};

/// Memory that one thread's tasks work in; aligned for the widest vectors.
struct alignas(64) KernelScratch {
  float scores[max_query_rows][cells_per_step];
  float bias[max_query_rows][cells_per_step];
  float step_max[max_query_rows];
  float keep[max_query_rows];  ///< what a step does to the sums: out · keep + step · fresh
  float fresh[max_query_rows];
  std::int16_t weights[max_query_rows][cells_per_step];
  std::uint8_t key_codes[cells_per_step * max_query_channels];
  std::uint8_t key_scales[max_head_groups][cells_per_step];  ///< made of short ones
  std::uint8_t value_scales[cells_per_step];
  std::int16_t values[2][cells_per_step * 16];
  std::int16_t value_factors[cells_per_step];
};

struct AttendTask {
  std::span<const GroupTiles> k_groups, v_groups;  ///< in the order of the head's channels
  /// Keys and values lie in any order, so sums must not depend on it; not for values of 16 bits.
  bool unordered = false;
  int head_dim_v = 0;
  std::int64_t first_cell = 0;  ///< a multiple of cells_per_step
  std::int64_t end_cell = 0;
  std::int64_t fetch_end = 0;  ///< cells of tasks to come are asked for in time as far as here

  QueryRows queries;
  const Half* const* masks = nullptr;  ///< [n_rows] each row's mask; entries may be null
  std::int64_t masked_from = 0;        ///< the cell that masks begin with
  const float* slopes = nullptr;  ///< [n_rows] factor of the mask: log2(e), times ALiBi's slope
  /// Soft cap times log2(e); scores are then in units of the cap, not of log2. 0 = off.
  float softcap = 0;

  SoftmaxRows state;  ///< read and updated
  KernelScratch* scratch = nullptr;
};

/// Rows [n_rows, max_query_channels], and what a matrix makes of them: n_out numbers of each, a
/// multiple of 16.
struct QueryMap {
  const float* in = nullptr;
  float* out = nullptr;
  int n_rows = 0, n_out = 0;
};

/// Everything that exists once per instruction set.
struct KernelTable {
  const char* name;
  bool (*supported)();
  void (*attend)(const AttendTask&);
  /// `all` becomes what it is of the cells of both. Rounds, so the order of calls matters.
  void (*merge)(const SoftmaxRows& all, const SoftmaxRows& more, int n_rows, int head_dim_v);
  /// out[n_out] = in[n] · the first n_out columns of matrix[n, n_columns]; multiples of 16.
  void (*multiply)(const float* matrix, int n, int n_columns, int n_out, const float* in,
                   float* out);
  /// Of each row of the map the same, up to rounding: cheap where there are several.
  void (*map_queries)(const float* matrix, int n, int n_columns, const QueryMap& map);
  /// 16 numbers as integers around 0 times a scale, which is returned: signed bytes, or, with a
  /// place for low codes, 256 · code + low code. |x − x̂| ≤ max|x| / 254, or / 65278.
  float (*encode_numbers)(const float* numbers, std::int8_t* codes, std::int8_t* low_codes,
                          int& sum);
};

/// One per instruction set: a wrapper in simd/ and a .cpp of a few lines, which is empty where the
/// processor is of another kind.
extern const KernelTable scalar_table, neon_table, neon_dot_table;
extern const KernelTable avx2_table, avx_vnni_table, avx512_table;

/// Compiled in, best first, whether this processor has them or not.
std::span<const KernelTable* const> all_kernels();

/// The best that this processor supports, or what $KVSPLIT_ISA names; chosen once.
/// Error: $KVSPLIT_ISA names an unknown or unsupported one.
const KernelTable& kernels();

}  // namespace kvsplit
