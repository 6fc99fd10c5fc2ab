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
    keys.n_blocks = (n_cells + block_rows - 1) / block_rows;
    prepare_keys(task, tile, keys);
    score_step(task, keys, mask.first_row, mask.n_rows);
    softmax_step(task, mask, keys.n_blocks);
    accumulate_step(task, mask, tile, keys.n_blocks);
  }
}
