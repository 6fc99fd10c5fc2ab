// The loop over a task's cells, in steps of 64: online softmax (arXiv 1805.02867) over steps.

// A step asks for the next one's cache lines, in their order: its own loads come in another, and
// too far apart in its work to hide how long memory takes. Decoding gains 10 to 20 %.
// g++ takes a function that does nothing but this for one without effect, and drops calls to it;
// so it must be inlined before that.
[[gnu::always_inline]] inline void prefetch(std::span<const GroupTiles> groups, std::int64_t tile) {
  for (const GroupTiles& group : groups) {
    const std::uint8_t* const next = tile_blocks_of(group, tile);
    const int scale_bytes = group.bits == 16 ? 0 : group.short_scale_base < 0 ? 64 : 32;
    const int bytes = group.bits * 128 + scale_bytes;
    for (int at = 0; at < bytes; at += 64) __builtin_prefetch(next + at);
  }
}

void attend(const AttendTask& task) {
  StepMask mask;
  StepKeys keys;
  for (std::int64_t cell = task.first_cell; cell < task.end_cell; cell += cells_per_step) {
    const std::int64_t left = task.end_cell - cell;
    const int n_cells = left < cells_per_step ? static_cast<int>(left) : cells_per_step;
    find_visible_rows(task, cell, n_cells, mask);
    if (mask.n_rows == 0) continue;
    const std::int64_t tile = cell / cells_per_step;
    const bool more = cell + cells_per_step < task.fetch_end;
    if (more) prefetch(task.k_groups, tile + 1);
    keys.n_blocks = (n_cells + block_rows - 1) / block_rows;
    prepare_keys(task, tile, mask.n_rows > few_rows, keys);
    score_step(task, keys, mask.first_row, mask.n_rows);
    if (more) prefetch(task.v_groups, tile + 1);
    softmax_step(task, mask, keys.n_blocks);
    accumulate_step(task, mask, tile, keys.n_blocks);
  }
}

void merge(const SoftmaxRows& all, const SoftmaxRows& more, int n_rows, int head_dim_v) {
  float keep[max_query_rows];
  float fresh[max_query_rows];
  rescale(all.max, more.max, n_rows, keep, fresh);
  const auto add = [&](float* to, const float* from, int row) {
    store(to, multiply_add(load(to), splat(keep[row]), load(from) * splat(fresh[row])));
  };
  for (int row = 0; row < n_rows; ++row) {
    add(all.sums + row * 16, more.sums + row * 16, row);
    for (int at = row * head_dim_v; at < (row + 1) * head_dim_v; at += lanes) {
      add(all.out + at, more.out + at, row);
    }
  }
}
