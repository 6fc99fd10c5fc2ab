#include "cache/exact_cells.h"

#include <algorithm>
#include <limits>

namespace kvsplit {

ExactCells::ExactCells() {
  for (auto* rows : {&all_, &seen_}) rows->reserve(2 * FreshRows::most_rows);
}

void ExactCells::find(Side k, Side v, const AttentionCall& call, std::int64_t stream) {
  if (stream_ == stream) return;
  k_ = k;
  v_ = v;
  stream_ = stream;
  for (Side* side : {&k_, &v_}) {
    for (const FreshRows& fresh : side->written) {
      if (fresh.is_of(side->tensor->exact(), call)) side->fresh = &fresh;
    }
  }
  fresh_ = k_.fresh != nullptr && v_.fresh != nullptr;
  all_.clear();
  if (fresh_) {
    const auto is_here = [&](const ExactRow& row) { return row.place.stream == stream; };
    std::ranges::copy_if(k_.fresh->rows(), std::back_inserter(all_), is_here);
    return;
  }
  const auto k_slots = k.tensor->exact().slots(stream);
  const auto v_slots = v.tensor->exact().slots(stream);
  for (std::size_t i = 0; i < std::min(k_slots.size(), v_slots.size()); ++i) {
    if (k_slots[i].cell < 0 || k_slots[i].cell != v_slots[i].cell) continue;
    constexpr int no_end = std::numeric_limits<int>::max();
    all_.push_back({{stream, k_slots[i].cell}, 0, static_cast<int>(i), 0, no_end});
  }
  std::ranges::sort(all_, {}, &ExactRow::place);
}

void ExactCells::look_at(int first_token, int end_token) {
  seen_.clear();
  std::ranges::copy_if(all_, std::back_inserter(seen_), [&](const ExactRow& row) {
    return row.first_token < end_token && row.end_token > first_token;
  });
}

std::span<const ExactRow> ExactCells::within(std::int64_t first_cell, std::int64_t end_cell) const {
  const auto first = std::ranges::lower_bound(seen_, first_cell, {}, &ExactRow::cell);
  return {first, std::ranges::lower_bound(first, seen_.end(), end_cell, {}, &ExactRow::cell)};
}

}  // namespace kvsplit
