#include "support/planned_format.h"

#include <Eigen/Dense>
#include <algorithm>
#include <random>

#include "cache/plan.h"

namespace kvsplit::test {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix random_turn(int dim, std::mt19937& random) {
  std::normal_distribution<float> normal;
  Matrix noise(dim, dim);
  for (float& x : noise.reshaped()) x = normal(random);
  return Eigen::HouseholderQR<Matrix>(noise).householderQ();
}

std::vector<float> random_mean(int dim, std::mt19937& random) {
  std::normal_distribution<float> normal(0, 2);
  std::vector<float> mean(static_cast<std::size_t>(dim));
  for (float& x : mean) x = normal(random);
  return mean;
}

/// A quarter of the groups is loud, so that scales matter.
PlannedHead random_head(const PlannedShape& shape, std::mt19937& random) {
  const int dim = shape.head_dim;
  PlannedHead head;
  Eigen::VectorXf loudness(dim);
  for (int c = 0; c < dim; ++c) loudness[c] = c < dim / 4 ? 0.6F : 0.17F;
  const Matrix into = random_turn(dim, random) * loudness.asDiagonal();
  head.into.assign(into.data(), into.data() + into.size());
  head.mean = random_mean(dim, random);
  if (!shape.mean) std::ranges::fill(head.mean, 0.0F);
  for (int c = 0; c < dim; c += group_channels) {
    head.variance.push_back(9 * loudness[c] * loudness[c]);  // of numbers of size 3
  }
  if (shape.frame_cells == 0) return head;
  head.base = random_mean(dim, random);
  const Matrix basis = random_turn(dim, random).topRows(n_place_numbers);
  head.place_basis.assign(basis.data(), basis.data() + basis.size());
  return head;
}

}  // namespace

PlannedSide planned_side(const PlannedShape& shape) {
  PlannedSide side;
  side.head_dim = shape.head_dim;
  side.frame_cells = shape.frame_cells;
  std::mt19937 random(11);
  for (int head = 0; head < shape.n_heads; ++head) side.heads.push_back(random_head(shape, random));
  side.rotation =
      rotation_of({.n_dims = shape.head_dim, .neighbours = shape.neighbours, .freq_base = 10000});
  return side;
}

RowFormat planned_format(const PlannedShape& shape) {
  RowFormat format =
      uniform_format(shape.head_dim * shape.n_heads, shape.bits, TransformKind::identity);
  format.maps = make_maps(planned_side(shape), 7);
  return format;
}

}  // namespace kvsplit::test
