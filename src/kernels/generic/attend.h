// The loop over a task's cells, in steps of 64: online softmax (arXiv 1805.02867) over steps.

void attend(const AttendTask& task) {
  StepMask mask;
  StepKeys keys;
  for (std::int64_t cell = task.first_cell; cell < task.end_cell; cell += cells_per_step) {
    const std::int64_t left = task.end_cell - cell;
    const int n_cells = left < cells_per_step ? static_cast<int>(left) : cells_per_step;
    find_visible_rows(task, cell, n_cells, mask);
    if (mask.n_rows == 0) continue;
    const std::int64_t first_tile = cell / kernel_tile_rows;
    keys.n_tiles = (n_cells + kernel_tile_rows - 1) / kernel_tile_rows;
    prepare_keys(task, first_tile, keys);
    score_step(task, keys, mask.rows, mask.n_rows);
    softmax_step(task, mask, keys.n_tiles);
    accumulate_step(task, first_tile, keys.n_tiles, mask);
  }
}
