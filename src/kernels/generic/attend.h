// The loop over a task's cells, in steps of 64: online softmax (arXiv 1805.02867) over steps.

void attend(const AttendTask& task) {
  StepMask mask;
  StepKeys keys;
  for (std::int64_t cell = task.first_cell; cell < task.end_cell; cell += cells_per_step) {
    const std::int64_t left = task.end_cell - cell;
    const int n_cells = left < cells_per_step ? static_cast<int>(left) : cells_per_step;
    find_visible_rows(task, cell, n_cells, mask);
    if (mask.n_rows == 0) continue;
    const std::int64_t tile = cell / cells_per_step;
    const std::int64_t next_tile = cell + cells_per_step < task.fetch_end ? tile + 1 : -1;
    keys.n_blocks = (n_cells + block_rows - 1) / block_rows;
    prepare_keys(task, tile, mask.n_rows > few_rows, keys);
    score_step(task, keys, mask.first_row, mask.n_rows);
    softmax_step(task, mask, keys.n_blocks);
    accumulate_step(task, mask, tile, next_tile, keys.n_blocks);
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
