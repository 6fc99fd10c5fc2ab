#include "cache/attention.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cmath>
#include <numeric>
#include <span>

#include "cache/exact_cells.h"
#include "cache/query_rows.h"
#include "codec/transform.h"
#include "kernels/attend.h"

// How attention is divided. The query rows of one KV head (its group's heads × the tokens) are cut
// into blocks of up to 64 rows; a block against all its cells is one job. Where a batch has too few
// such jobs to keep many threads busy (decoding), the cells of each are cut into pieces whose
// partial sums are merged by the last thread to finish, in order. The cut depends on shapes only,
// never on the number of threads, so neither does the result.
namespace kvsplit {
namespace {

constexpr std::size_t partial_floats = std::size_t{1} << 20U;  // 4 MiB for all pieces of a call
constexpr int wanted_jobs = 64;
constexpr int min_cells_per_piece = 128;
constexpr float log2_e = 1.44269504F;  // the kernels' softmax is one of powers of two

static_assert(tile_rows == cells_per_step && max_head_dim == max_kernel_head_dim);

struct Division {
  int n_kv_heads = 1;
  int group_size = 1;     // query heads of a KV head
  int rows_per_head = 0;  // query rows of a KV head in one stream
  int n_blocks = 0;       // of up to 64 rows
  int n_row_jobs = 0;
  int n_pieces = 1;  // of cells
  std::int64_t cells_per_piece = 0;
};

Division divide(const PackedTensor& k, const PackedTensor& v, const AttentionCall& call) {
  Division d;
  d.n_kv_heads = std::max(k.n_heads(), 1);
  d.group_size = call.n_heads / d.n_kv_heads;
  d.rows_per_head = d.group_size * call.n_tokens;
  d.n_blocks = (d.rows_per_head + max_query_rows - 1) / max_query_rows;
  d.n_row_jobs = call.n_streams * d.n_kv_heads * d.n_blocks;
  const std::size_t floats_per_piece =
      static_cast<std::size_t>(call.n_streams) * call.n_heads * call.n_tokens * (v.head_dim() + 2);
  if (d.n_row_jobs < wanted_jobs / 2) {
    const std::int64_t most =
        std::min<std::int64_t>((call.n_kv + min_cells_per_piece - 1) / min_cells_per_piece,
                               static_cast<std::int64_t>(partial_floats / floats_per_piece));
    d.n_pieces = static_cast<int>(
        std::clamp<std::int64_t>(wanted_jobs / d.n_row_jobs, 1, std::max<std::int64_t>(most, 1)));
  }
  const int unit = std::max(cells_per_step, k.format().frame_cells());
  const std::int64_t units = (call.n_kv + unit - 1) / unit;
  d.cells_per_piece = (units + d.n_pieces - 1) / d.n_pieces * unit;
  return d;
}

// The rows that one job works on.
struct RowBlock {
  int stream = 0;
  int kv_head = 0;
  int first_row = 0;
  int n_rows = 0;
};

RowBlock row_block(const Division& d, int row_job) {
  const int first_row = row_job % d.n_blocks * max_query_rows;
  return {.stream = row_job / d.n_blocks / d.n_kv_heads,
          .kv_head = row_job / d.n_blocks % d.n_kv_heads,
          .first_row = first_row,
          .n_rows = std::min(max_query_rows, d.rows_per_head - first_row)};
}

}  // namespace

// ALiBi (arXiv 2108.12409): head h of n adds slope(h) · mask; slopes are powers of 2^(−max_bias/n),
// for the heads beyond the largest power of two the odd powers of its root.
float alibi_slope(float max_bias, int head, int n_heads) {
  if (max_bias <= 0) return 1.0F;
  const int n = 1 << static_cast<int>(std::floor(std::log2(static_cast<float>(n_heads))));
  const float steps =
      head < n ? static_cast<float>(head + 1) : static_cast<float>(2 * (head - n) + 1) / 2.0F;
  return std::exp2(-max_bias / static_cast<float>(n) * steps);
}

/// One thread's rows, ready for the kernels. Aligned and reused; about a MiB.
struct ThreadScratch {
  QueryScratch queries;
  std::array<const Half*, max_query_rows> masks;
  std::array<float, max_query_rows> slopes;
  alignas(64) std::array<float, max_query_rows> max;
  alignas(64) std::array<float, max_query_rows * 16> sums;
  alignas(64) std::array<float, max_query_rows * max_head_dim> out;
  HeadTiles k_groups, v_groups, exact_k_groups, exact_v_groups;
  ExactCells exact;
  std::array<std::array<Half, cells_per_step>, max_query_rows> own_masks;
  std::array<const Half*, max_query_rows> own_mask_of;
  KernelScratch kernel;
};

struct Workspace::Impl {
  explicit Impl(int n_threads) : threads(static_cast<std::size_t>(n_threads)) {
    for (auto& scratch : threads) scratch = std::make_unique_for_overwrite<ThreadScratch>();
    partials = std::make_unique_for_overwrite<float[]>(partial_floats);
  }
  std::vector<std::unique_ptr<ThreadScratch>> threads;
  std::unique_ptr<float[]> partials;  // [row, piece]: max, sum, out …
  std::atomic<int> n_finished = 0;
  FreshRows fresh_keys, fresh_values;
};

Workspace::Workspace(int n_threads) : impl_(std::make_unique<Impl>(n_threads)) {}
Workspace::~Workspace() = default;
FreshRows& Workspace::fresh(Side side) {
  return side == Side::key ? impl_->fresh_keys : impl_->fresh_values;
}
int Workspace::n_threads() const { return static_cast<int>(impl_->threads.size()); }

namespace {

struct Attention {
  const PackedTensor& k;
  const PackedTensor& v;
  const AttentionCall& call;
  Division division;
  Workspace::Impl& workspace;
};

// The tiles of the groups of a head that have bits.
template <class TilesOf>
std::span<const GroupTiles> head_tiles(const PackedTensor& tensor, int head, HeadTiles& room,
                                       const TilesOf& tiles_of) {
  std::size_t n = 0;
  for (const GroupLayout& group : tensor.head_groups(head)) {
    room[n] = tiles_of(group);
    if (room[n].bits == 0) break;
    ++n;
  }
  return std::span(room).first(n);
}

// What a query row is of.
struct QueryPlace {
  int token, head;
};

QueryPlace query_place(const Attention& a, const RowBlock& block, int index) {
  const int row = block.first_row + index;
  const int size = a.division.group_size;
  return {row / size, block.kv_head * size + row % size};
}

void prepare_row(const Attention& a, const RowBlock& block, int index, ThreadScratch& scratch) {
  const AttentionCall& call = a.call;
  const auto [token, head] = query_place(a, block, index);
  const float* const q = call.query(block.stream, head, token);
  const float scale = call.softcap != 0 ? call.scale / call.softcap : call.scale * log2_e;
  std::transform(q, q + a.k.head_dim(), scratch.queries.row(index),
                 [scale](float x) { return x * scale; });
  transform_head(a.k.format().transform,
                 {scratch.queries.row(index), static_cast<std::size_t>(a.k.head_dim())});
  scratch.masks[index] = call.mask_row(block.stream, head, token);
  scratch.slopes[index] = log2_e * alibi_slope(call.max_bias, head, call.n_heads);
}

AttendTask task_for(const Attention& a, const RowBlock& block, ThreadScratch& scratch) {
  AttendTask task;
  const int stream = a.call.first_stream + block.stream;
  task.k_groups = key_tiles(a.k, block.kv_head, stream, scratch.k_groups);
  task.v_groups = head_tiles(a.v, block.kv_head, scratch.v_groups, [&](const GroupLayout& group) {
    return packed_tiles(a.v, group, stream);
  });
  task.head_dim_v = a.v.head_dim();
  task.queries =
      scratch.queries.rows(block.n_rows, n_fine_groups(a.k, block.kv_head, KeyForm::packed));
  task.masks = scratch.masks.data();
  task.slopes = scratch.slopes.data();
  task.softcap = a.call.softcap * log2_e;
  task.state = {scratch.max.data(), scratch.sums.data(), scratch.out.data()};
  task.scratch = &scratch.kernel;
  return task;
}

// Whether any row sees any of the task's cells.
bool any_sees(const AttendTask& task) {
  for (int row = 0; row < task.queries.n_rows; ++row) {
    const Half* const mask = task.masks[row];
    if (row > 0 && mask == task.masks[row - 1]) continue;
    const auto is_seen = [](Half x) { return x != half_minus_infinity; };
    if (mask == nullptr || std::any_of(mask + task.first_cell, mask + task.end_cell, is_seen)) {
      return true;
    }
  }
  return false;
}

// Scores may lack a number per row (encode_queries): in its stead the maximum so far is lowered.
void attend_keys(const AttendTask& task, const ThreadScratch& scratch) {
  const auto n = static_cast<std::size_t>(task.queries.n_rows);
  for (std::size_t row = 0; row < n; ++row) task.state.max[row] -= scratch.queries.lacking[row];
  kernels().attend(task);
  for (std::size_t row = 0; row < n; ++row) task.state.max[row] += scratch.queries.lacking[row];
}

// Masks of up to 64 cells of its own for each row, as the task's: fill(mask, the row's mask in the
// call, its token). Rows of one token share one.
template <class Fill>
void make_masks(const Attention& a, const RowBlock& block, ThreadScratch& scratch, AttendTask& task,
                const Fill& fill) {
  for (int row = 0; row < block.n_rows; ++row) {
    const Half* const mask = scratch.masks[row];
    const int token = query_place(a, block, row).token;
    const bool shared =
        row > 0 && mask == scratch.masks[row - 1] && token == query_place(a, block, row - 1).token;
    scratch.own_mask_of[row] =
        shared ? scratch.own_mask_of[row - 1] : scratch.own_masks[row].data();
    if (!shared) fill(scratch.own_masks[row], mask, token);
  }
  task.masks = scratch.own_mask_of.data();
}

// A tile of packed cells some of which a row sees in 8 bits: those are hidden from it.
void attend_packed_tile(const Attention& a, const RowBlock& block, AttendTask task,
                        std::span<const ExactRow> exact, ThreadScratch& scratch) {
  const auto n = static_cast<std::size_t>(task.end_cell - task.first_cell);
  make_masks(a, block, scratch, task, [&](auto& own, const Half* mask, int token) {
    if (mask == nullptr) std::fill_n(own.begin(), n, Half{0});
    if (mask != nullptr) std::copy_n(mask + task.first_cell, n, own.begin());
    for (const ExactRow& row : exact) {
      if (row.seen_by(token)) own[row.cell() - task.first_cell] = half_minus_infinity;
    }
  });
  task.masked_from = task.first_cell;
  attend_keys(task, scratch);
}

void attend_packed(const Attention& a, const RowBlock& block, AttendTask task,
                   std::span<const ExactRow> exact, ThreadScratch& scratch) {
  encode_queries(a.k, block.kv_head, KeyForm::packed, block.n_rows, scratch.queries);
  for (const std::int64_t end = task.end_cell; task.first_cell < end;
       task.first_cell = task.end_cell) {
    const std::int64_t tile =
        exact.empty() ? end : exact[0].cell() / cells_per_step * cells_per_step;
    task.end_cell = tile;
    if (tile > task.first_cell) {
      attend_keys(task, scratch);
      continue;
    }
    task.end_cell = std::min(tile + cells_per_step, end);
    const auto beyond = std::ranges::lower_bound(exact, task.end_cell, {}, &ExactRow::cell);
    attend_packed_tile(a, block, task, {exact.begin(), beyond}, scratch);
    exact = {beyond, exact.end()};
  }
}

// The rows of one tile of exact ones.
void attend_exact_tile(const Attention& a, const RowBlock& block, AttendTask task, int tile,
                       std::span<const ExactRow> exact, ThreadScratch& scratch) {
  const auto tiles_in = [](ExactTile rows) {
    return [rows](const GroupLayout& group) { return rows.tiles(group.number()); };
  };
  task.k_groups =
      head_tiles(a.k, block.kv_head, scratch.exact_k_groups, tiles_in(scratch.exact.k_tile(tile)));
  task.v_groups =
      head_tiles(a.v, block.kv_head, scratch.exact_v_groups, tiles_in(scratch.exact.v_tile(tile)));
  make_masks(a, block, scratch, task, [&](auto& own, const Half* mask, int token) {
    own.fill(half_minus_infinity);
    for (const ExactRow& row : exact) {
      if (row.tile != tile || !row.seen_by(token)) continue;
      own[row.slot] = mask == nullptr ? Half{0} : mask[row.cell()];
    }
  });
  task.masked_from = task.first_cell = 0;
  task.end_cell = task.fetch_end = 0;
  for (const ExactRow& row : exact) {
    if (row.tile == tile) task.end_cell = std::max<std::int64_t>(task.end_cell, row.slot + 1);
  }
  attend_keys(task, scratch);
}

void attend_exact(const Attention& a, const RowBlock& block, AttendTask task,
                  std::span<const ExactRow> exact, ThreadScratch& scratch) {
  encode_queries(a.k, block.kv_head, KeyForm::exact, block.n_rows, scratch.queries);
  task.queries.n_fine = n_fine_groups(a.k, block.kv_head, KeyForm::exact);
  const auto [first, last] = std::ranges::minmax(exact, {}, &ExactRow::tile);
  for (int tile = first.tile; tile <= last.tile; ++tile) {
    attend_exact_tile(a, block, task, tile, exact, scratch);
  }
}

// The task's cells, whose queries are mapped.
void attend_cells(const Attention& a, const RowBlock& block, const AttendTask& task,
                  ThreadScratch& scratch) {
  const std::span<const ExactRow> exact = scratch.exact.within(task.first_cell, task.end_cell);
  attend_packed(a, block, task, exact, scratch);
  if (!exact.empty()) attend_exact(a, block, task, exact, scratch);
}

// The task's cells frame by frame: queries are mapped anew for each that any of them sees.
void run_frames(const Attention& a, const RowBlock& block, AttendTask task,
                ThreadScratch& scratch) {
  const std::int64_t end = task.end_cell;
  for (; task.first_cell < end; task.first_cell = task.end_cell) {
    task.end_cell = std::min(task.first_cell + a.k.format().frame_cells(), end);
    if (!any_sees(task)) continue;
    const CellPlace first{a.call.first_stream + block.stream, task.first_cell};
    map_queries(a.k, block.kv_head, frame_turn(a.k, block.kv_head, first), block.n_rows,
                scratch.queries);
    scratch.k_groups[0].first_tile = task.first_cell / tile_rows;
    attend_cells(a, block, task, scratch);
  }
}

void run_piece(const Attention& a, const RowBlock& block, int piece, ThreadScratch& scratch) {
  AttendTask task = task_for(a, block, scratch);
  scratch.max.fill(lowest_score);
  std::fill_n(scratch.sums.begin(), block.n_rows * 16, 0.0F);
  std::fill_n(scratch.out.begin(), block.n_rows * task.head_dim_v, 0.0F);
  task.first_cell = piece * a.division.cells_per_piece;
  task.end_cell = std::min(a.call.n_kv, task.first_cell + a.division.cells_per_piece);
  task.fetch_end = a.call.n_kv;
  if (a.k.format().frame_cells() > 0) return run_frames(a, block, task, scratch);
  if (task.first_cell < task.end_cell) attend_cells(a, block, task, scratch);
}

float row_sum(const ThreadScratch& scratch, int index) {
  const float* const parts = scratch.sums.data() + static_cast<std::ptrdiff_t>(index) * 16;
  return std::accumulate(parts, parts + 16, 0.0F);
}

// Ends a row: the sink takes its share of the sum, and the output is turned back and stored.
void finish_row(const Attention& a, const RowBlock& block, int index, float max, float sum,
                std::span<float> out) {
  const auto [token, head] = query_place(a, block, index);
  float factor = sum > 0 ? 1.0F / sum : 0.0F;
  if (a.call.sinks != nullptr && sum > 0) {
    // With the larger of both as the base, neither exponential overflows.
    const float sink = a.call.sinks[head] * log2_e;
    const float base = std::max(max, sink);
    const float kept = std::exp2(max - base);
    factor = kept / (sum * kept + std::exp2(sink - base));
  }
  for (float& x : out) x *= factor;
  value_out_of_space(a.v.format(), block.kv_head, out);
  const std::size_t at = (block.stream * a.call.n_tokens + token) * a.call.n_heads + head;
  std::ranges::copy(out, a.call.out + at * out.size());
}

// Partial sums lie [row of all row blocks, piece]; a block's rows are numbered by their place in
// the whole call.
float* partial(const Attention& a, const RowBlock& block, int index, int piece) {
  const std::size_t row =
      (block.stream * a.division.n_kv_heads + block.kv_head) * a.division.rows_per_head +
      block.first_row + index;
  return a.workspace.partials.get() + (row * a.division.n_pieces + piece) * (a.v.head_dim() + 2);
}

void merge_row(const Attention& a, const RowBlock& block, int index, ThreadScratch& scratch) {
  const auto dim = static_cast<std::size_t>(a.v.head_dim());
  const std::span<float> out{scratch.out.data(), dim};
  std::ranges::fill(out, 0.0F);
  float max = lowest_score;
  for (int piece = 0; piece < a.division.n_pieces; ++piece) {
    max = std::max(max, *partial(a, block, index, piece));
  }
  float sum = 0;
  for (int piece = 0; piece < a.division.n_pieces; ++piece) {
    const float* const from = partial(a, block, index, piece);
    if (from[1] == 0) continue;  // saw nothing
    const float weight = std::exp2(from[0] - max);
    sum += weight * from[1];
    for (std::size_t i = 0; i < dim; ++i) out[i] += weight * from[2 + i];
  }
  finish_row(a, block, index, max, sum, out);
}

void prepare_block(const Attention& a, const RowBlock& block, ThreadScratch& scratch) {
  scratch.exact.find({&a.k, &a.workspace.fresh_keys}, {&a.v, &a.workspace.fresh_values}, a.call,
                     a.call.first_stream + block.stream);
  const int last = block.n_rows - 1;
  scratch.exact.look_at(query_place(a, block, 0).token, query_place(a, block, last).token + 1);
  for (int index = 0; index < block.n_rows; ++index) prepare_row(a, block, index, scratch);
  if (a.k.format().frame_cells() > 0) return;
  map_queries(a.k, block.kv_head, {}, block.n_rows, scratch.queries);
}

void run_job(const Attention& a, const RowBlock& block, int piece, ThreadScratch& scratch) {
  run_piece(a, block, piece, scratch);
  const auto dim = static_cast<std::size_t>(a.v.head_dim());
  for (int index = 0; index < block.n_rows; ++index) {
    const float max = scratch.max[index];
    const float sum = row_sum(scratch, index);
    const std::span out{scratch.out.data() + index * dim, dim};
    if (a.division.n_pieces == 1) {
      finish_row(a, block, index, max, sum, out);
    } else {
      float* const to = partial(a, block, index, piece);
      to[0] = max;
      to[1] = sum;
      std::ranges::copy(out, to + 2);
    }
  }
}

// The last worker to come here merges the pieces of all rows.
void merge_pieces(const Attention& a, int n_workers, ThreadScratch& scratch) {
  if (a.workspace.n_finished.fetch_add(1, std::memory_order_acq_rel) + 1 != n_workers) return;
  a.workspace.n_finished.store(0, std::memory_order_relaxed);
  for (int row_job = 0; row_job < a.division.n_row_jobs; ++row_job) {
    const RowBlock block = row_block(a.division, row_job);
    for (int index = 0; index < block.n_rows; ++index) merge_row(a, block, index, scratch);
  }
}

}  // namespace

void attend(const PackedTensor& k, const PackedTensor& v, const AttentionCall& call,
            Workspace& workspace, Worker worker) {
  assert(k.head_dim() > 0 && v.head_dim() > 0 && k.n_heads() == v.n_heads());
  assert(call.n_heads % k.n_heads() == 0 && worker.index < workspace.n_threads());
  const Attention a{k, v, call, divide(k, v, call), workspace.impl()};
  ThreadScratch& scratch = *workspace.impl().threads[static_cast<std::size_t>(worker.index)];
  scratch.exact.forget();  // of another call
  const int n_pieces = a.division.n_pieces;
  const std::int64_t n_jobs = std::int64_t{1} * a.division.n_row_jobs * n_pieces;
  // Enough row blocks for all: they are dealt in turn, so that late ones, which see more under a
  // causal mask, spread over the workers. Few: neighbouring pieces go to one worker, so that rows
  // are prepared about once per worker.
  const bool in_turn = n_pieces == 1;
  const std::int64_t first = in_turn ? worker.index : n_jobs * worker.index / worker.count;
  const std::int64_t end = in_turn ? n_jobs : n_jobs * (worker.index + 1) / worker.count;
  int prepared = -1;
  for (std::int64_t job = first; job < end; job += in_turn ? worker.count : 1) {
    const auto row_job = static_cast<int>(job / n_pieces);
    const RowBlock block = row_block(a.division, row_job);
    if (row_job != prepared) prepare_block(a, block, scratch);
    prepared = row_job;
    run_job(a, block, static_cast<int>(job % n_pieces), scratch);
  }
  if (!in_turn) merge_pieces(a, worker.count, scratch);
}

}  // namespace kvsplit
