#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "cache/plan.h"
#include "codec/group_row.h"
#include "kernels/scale_code.h"

namespace kvsplit {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::Map<const Matrix> as_matrix(const std::vector<float>& numbers, int n_columns) {
  return {numbers.data(), std::ssize(numbers) / n_columns, n_columns};
}

std::vector<float> numbers_of(const Matrix& matrix) {
  return {matrix.data(), matrix.data() + matrix.size()};
}

// The largest short scale reaches eight times a group's standard deviation; that scales reach as
// far whatever the width is how their codes are made.
std::vector<int> scale_bases(const std::vector<float>& variances) {
  const float mean = std::accumulate(variances.begin(), variances.end(), 0.0F) / variances.size();
  std::vector<int> bases;
  for (const float variance : variances) {
    const float reach = 8 * std::sqrt(std::max(variance / mean, 1e-8F));
    const int top = static_cast<int>(std::lround(8 * (std::log2(reach) + 16)));
    bases.push_back(std::clamp(top - max_short_scale * short_scale_step, 0,
                               max_scale_code - max_short_scale * short_scale_step));
  }
  return bases;
}

// The rotating mean at each place of a frame, in the head's space: [frame_cells, head_dim].
Matrix place_means(const PlannedSide& side, const PlannedHead& head) {
  Matrix means(side.frame_cells, side.head_dim);
  for (int cell = 0; cell < side.frame_cells; ++cell) {
    means.row(cell) = as_matrix(head.base, side.head_dim);
    turn_head(side.rotation, turn_of(side.rotation, cell), {&means(cell, 0), head.base.size()});
    means.row(cell) -= as_matrix(head.mean, side.head_dim);
  }
  return means * as_matrix(head.into, side.head_dim);
}

void make_places(const PlannedSide& side, const PlannedHead& head, const Matrix& query,
                 HeadMap& map) {
  const Matrix basis = as_matrix(head.place_basis, side.head_dim).transpose();
  map.places = numbers_of(place_means(side, head) * basis);
  map.place_tiles.resize(static_cast<std::size_t>(side.frame_cells / tile_rows) * place_tile_bytes);
  for (int cell = 0; cell < side.frame_cells; ++cell) {
    std::byte* const tile = &map.place_tiles[cell / tile_rows * place_tile_bytes];
    const std::span numbers{&map.places[cell * n_place_numbers], n_place_numbers};
    const GroupRow row{place_group, Side::key, tile, cell % tile_rows};
    row.write(numbers);
    row.read(numbers);  // what the tile has to say of them
  }
  Matrix both(side.head_dim, n_place_numbers + side.head_dim);
  both << query * basis, query;
  map.query = numbers_of(both);
}

HeadMap make_map(const PlannedSide& side, const PlannedHead& head) {
  const Matrix back = as_matrix(head.into, side.head_dim).cast<double>().inverse().cast<float>();
  const Matrix query = back.transpose();
  HeadMap map;
  static_cast<PlannedHead&>(map) = head;
  map.back = numbers_of(back);
  map.query = numbers_of(query);
  map.scale_bases = scale_bases(head.variance);
  if (side.frame_cells > 0) make_places(side, head, query, map);
  return map;
}

}  // namespace

std::shared_ptr<const HeadMaps> make_maps(const PlannedSide& side, std::uint64_t fingerprint) {
  HeadMaps maps{side.head_dim, side.frame_cells, side.windowed, side.rotation, {}, fingerprint};
  for (const PlannedHead& head : side.heads) maps.heads.push_back(make_map(side, head));
  return std::make_shared<const HeadMaps>(std::move(maps));
}

}  // namespace kvsplit
