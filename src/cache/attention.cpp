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
// into blocks of up to 64 rows, and cells into pieces, whose sums are made apart and merged in
// order. Pieces are of a fixed size, and within one nothing that a row does not see makes a
// difference: so a token's result depends neither on threads nor on the company it is in.
// A block against all its cells is one job; where those are too few to keep many threads busy
// (decoding), each piece is one, and the last thread to finish merges.
namespace kvsplit {
namespace {

constexpr std::size_t partial_floats = std::size_t{1} << 22U;  // 16 MiB, used as far as needed
constexpr int enough_jobs = 32;
constexpr int cells_per_piece = 512;   // without frames, which are pieces themselves
constexpr float log2_e = 1.44269504F;  // the kernels' softmax is one of powers of two

static_assert(tile_rows == cells_per_step && max_head_dim == max_kernel_head_dim);

struct Division {
  int n_kv_heads = 1;
  int group_size = 1;     // query heads of a KV head
  int rows_per_head = 0;  // query rows of a KV head in one stream
  int n_blocks = 0;       // of up to 64 rows
  int n_row_jobs = 0;
  int n_pieces = 1;  // of cells
  int cells_per_piece = 0;
  bool in_pieces = false;  // each is a job

  // Of a row block, as SoftmaxRows lie in memory.
  std::size_t floats_of_piece(int head_dim_v) const {
    const std::size_t n_rows = std::min(rows_per_head, max_query_rows);
    return (n_rows + 15) / 16 * 16 + n_rows * (16 + head_dim_v);
  }
};

Division divide(const PackedTensor& k, const PackedTensor& v, const AttentionCall& call) {
  Division d;
  d.n_kv_heads = std::max(k.n_heads(), 1);
  d.group_size = call.n_heads / d.n_kv_heads;
  d.rows_per_head = d.group_size * call.n_tokens;
  d.n_blocks = (d.rows_per_head + max_query_rows - 1) / max_query_rows;
  d.n_row_jobs = call.n_streams * d.n_kv_heads * d.n_blocks;
  const int frame_cells = k.format().frame_cells();
  d.cells_per_piece = frame_cells > 0 ? frame_cells : cells_per_piece;
  d.n_pieces = static_cast<int>((call.n_kv + d.cells_per_piece - 1) / d.cells_per_piece);
  d.in_pieces = d.n_row_jobs < enough_jobs && d.n_pieces > 1 &&
                d.n_row_jobs * d.n_pieces * d.floats_of_piece(v.head_dim()) <= partial_floats;
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
  alignas(64) std::array<float, max_query_rows*(17 + max_head_dim)> piece, merged;
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
  std::unique_ptr<float[]> partials;  // [row job, piece]: SoftmaxRows
  std::atomic<int> n_finished = 0;
  std::array<FreshRows, 2> fresh_keys{FreshRows(Side::key), FreshRows(Side::key)};
  std::array<FreshRows, 2> fresh_values{FreshRows(Side::value), FreshRows(Side::value)};
};

Workspace::Workspace(int n_threads) : impl_(std::make_unique<Impl>(n_threads)) {}
Workspace::~Workspace() = default;
FreshRows& Workspace::fresh(Side side, int layer) {
  return (side == Side::key ? impl_->fresh_keys : impl_->fresh_values)[layer % 2];
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
  kernels().attend(task);
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
      kernels().attend(task);
      continue;
    }
    task.end_cell = std::min(tile + cells_per_step, end);
    const auto beyond = std::ranges::lower_bound(exact, task.end_cell, {}, &ExactRow::cell);
    attend_packed_tile(a, block, task, {exact.begin(), beyond}, scratch);
    exact = {beyond, exact.end()};
  }
}

// Exact rows that lie in one tile, of cells that do as well.
void attend_exact_tile(const Attention& a, const RowBlock& block, AttendTask task,
                       std::span<const ExactRow> exact, ThreadScratch& scratch) {
  const int tile = exact[0].tile;
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
      if (row.seen_by(token)) own[row.slot] = mask == nullptr ? Half{0} : mask[row.cell()];
    }
  });
  task.masked_from = task.first_cell = 0;
  task.end_cell = task.fetch_end = std::ranges::max(exact, {}, &ExactRow::slot).slot + 1;
  task.unordered = true;
  kernels().attend(task);
}

void attend_exact(const Attention& a, const RowBlock& block, AttendTask task,
                  std::span<const ExactRow> exact, ThreadScratch& scratch) {
  encode_queries(a.k, block.kv_head, KeyForm::exact, block.n_rows, scratch.queries);
  task.queries.n_fine = n_fine_groups(a.k, block.kv_head, KeyForm::exact);
  while (!exact.empty()) {
    const std::int64_t tile_end = (exact[0].cell() / cells_per_step + 1) * cells_per_step;
    const auto beyond = std::ranges::lower_bound(exact, tile_end, {}, &ExactRow::cell);
    attend_exact_tile(a, block, task, {exact.begin(), beyond}, scratch);
    exact = {beyond, exact.end()};
  }
}

// Queries are mapped anew for each frame.
void enter_frame(const Attention& a, const RowBlock& block, std::int64_t first_cell,
                 ThreadScratch& scratch) {
  const CellPlace first{a.call.first_stream + block.stream, first_cell};
  map_queries(a.k, block.kv_head, frame_turn(a.k, block.kv_head, first), block.n_rows,
              scratch.queries);
  scratch.k_groups[0].first_tile = first_cell / tile_rows;
}

SoftmaxRows rows_in(float* room, const RowBlock& block) {
  float* const sums = room + (block.n_rows + 15) / 16 * 16;
  return {room, sums, sums + std::ptrdiff_t{16} * block.n_rows};
}

SoftmaxRows empty_rows(const Attention& a, const RowBlock& block, float* room) {
  const SoftmaxRows rows = rows_in(room, block);
  std::fill(rows.max, rows.sums, lowest_score);
  std::fill_n(rows.sums, block.n_rows * (16 + a.v.head_dim()), 0.0F);
  return rows;
}

// One piece, whose sums are left in `room`.
void run_piece(const Attention& a, const RowBlock& block, int piece, float* room,
               ThreadScratch& scratch) {
  AttendTask task = task_for(a, block, scratch);
  task.state = empty_rows(a, block, room);
  task.first_cell = std::int64_t{1} * piece * a.division.cells_per_piece;
  task.end_cell = std::min(a.call.n_kv, task.first_cell + a.division.cells_per_piece);
  task.fetch_end = a.call.n_kv;
  if (a.k.format().frame_cells() > 0) {
    if (!any_sees(task)) return;
    enter_frame(a, block, task.first_cell, scratch);
  }
  const std::span<const ExactRow> exact = scratch.exact.within(task.first_cell, task.end_cell);
  attend_packed(a, block, task, exact, scratch);
  if (!exact.empty()) attend_exact(a, block, task, exact, scratch);
  // What scores lacked (map_queries) is the same for all of the piece.
  for (int row = 0; row < block.n_rows; ++row) task.state.max[row] += scratch.queries.lacking[row];
}

// Ends a row: the sink takes its share of the sum, and the output is turned back and stored.
void finish_row(const Attention& a, const RowBlock& block, int index, const SoftmaxRows& rows) {
  const auto [token, head] = query_place(a, block, index);
  const float max = rows.max[index];
  const float* const parts = rows.sums + std::ptrdiff_t{16} * index;
  const float sum = std::accumulate(parts, parts + 16, 0.0F);
  const auto dim = static_cast<std::size_t>(a.v.head_dim());
  const std::span out(rows.out + index * dim, dim);
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

float* partial(const Attention& a, int row_job, int piece) {
  const std::size_t number = std::size_t{1} * row_job * a.division.n_pieces + piece;
  return a.workspace.partials.get() + number * a.division.floats_of_piece(a.v.head_dim());
}

// Merges what room_of(piece) says of each, in order.
template <class RoomOf>
void merge_block(const Attention& a, const RowBlock& block, ThreadScratch& scratch,
                 const RoomOf& room_of) {
  const SoftmaxRows merged = empty_rows(a, block, scratch.merged.data());
  for (int piece = 0; piece < a.division.n_pieces; ++piece) {
    kernels().merge(merged, rows_in(room_of(piece), block), block.n_rows, a.v.head_dim());
  }
  for (int index = 0; index < block.n_rows; ++index) finish_row(a, block, index, merged);
}

void prepare_block(const Attention& a, const RowBlock& block, ThreadScratch& scratch) {
  scratch.exact.find({&a.k, a.workspace.fresh_keys}, {&a.v, a.workspace.fresh_values}, a.call,
                     a.call.first_stream + block.stream);
  const int last = block.n_rows - 1;
  scratch.exact.look_at(query_place(a, block, 0).token, query_place(a, block, last).token + 1);
  for (int index = 0; index < block.n_rows; ++index) prepare_row(a, block, index, scratch);
  if (a.k.format().frame_cells() > 0) return;
  map_queries(a.k, block.kv_head, {}, block.n_rows, scratch.queries);
}

void run_all_pieces(const Attention& a, const RowBlock& block, ThreadScratch& scratch) {
  merge_block(a, block, scratch, [&](int piece) {
    run_piece(a, block, piece, scratch.piece.data(), scratch);
    return scratch.piece.data();
  });
}

// The last worker to come here merges the pieces of all rows.
void merge_pieces(const Attention& a, int n_workers, ThreadScratch& scratch) {
  if (a.workspace.n_finished.fetch_add(1, std::memory_order_acq_rel) + 1 != n_workers) return;
  a.workspace.n_finished.store(0, std::memory_order_relaxed);
  for (int row_job = 0; row_job < a.division.n_row_jobs; ++row_job) {
    merge_block(a, row_block(a.division, row_job), scratch,
                [&](int piece) { return partial(a, row_job, piece); });
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
  const bool in_pieces = a.division.in_pieces;
  const int n_pieces = in_pieces ? a.division.n_pieces : 1;
  const std::int64_t n_jobs = std::int64_t{1} * a.division.n_row_jobs * n_pieces;
  // Enough row blocks for all: they are dealt in turn, so that late ones, which see more under a
  // causal mask, spread over the workers. Few: neighbouring pieces go to one worker, so that rows
  // are prepared about once per worker.
  const std::int64_t first = in_pieces ? n_jobs * worker.index / worker.count : worker.index;
  const std::int64_t end = in_pieces ? n_jobs * (worker.index + 1) / worker.count : n_jobs;
  int prepared = -1;
  for (std::int64_t job = first; job < end; job += in_pieces ? 1 : worker.count) {
    const auto row_job = static_cast<int>(job / n_pieces);
    const RowBlock block = row_block(a.division, row_job);
    if (row_job != prepared) prepare_block(a, block, scratch);
    prepared = row_job;
    if (in_pieces) {
      const auto piece = static_cast<int>(job % n_pieces);
      run_piece(a, block, piece, partial(a, row_job, piece), scratch);
    } else {
      run_all_pieces(a, block, scratch);
    }
  }
  if (in_pieces) merge_pieces(a, worker.count, scratch);
}

}  // namespace kvsplit
