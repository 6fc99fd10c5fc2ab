#include "tune/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.h"
#include "host/weights.h"
#include "tune/statistics.h"

// Transform coding of keys and values. An error e of a key changes scores by q·e, so the norm that
// counts is eᵀGe with G = E[q·qᵀ]; of a value, by what the output weights make of it, eᵀMe with
// M = Σ_gh E[p_g·p_h] · W_gᵀW_h. With A = G^½ and U the eigenvectors of A·Cov·A, z = Uᵀ·A·(x −
// mean) has uncorrelated numbers whose squared errors simply add up; bits then follow their
// variances. A Hadamard transform within each group of 16 makes its numbers alike, as they share a
// width.
namespace kvsplit::tune {
namespace {

constexpr double regularisation = 1e-3;  // of a metric: times its mean eigenvalue, to its diagonal

Eigen::MatrixXd hadamard_16() {
  return Eigen::MatrixXd::NullaryExpr(group_channels, group_channels, [](auto row, auto column) {
    return std::popcount(static_cast<std::size_t>(row & column)) % 2 == 0 ? 0.25 : -0.25;
  });
}

// What a key's place in its frame tells of it (codec/head_map.h): the rotating mean less the mean,
// over rows. Empty: there are no frames.
struct PlaceMoments {
  Eigen::MatrixXd own;        // E[x·xᵀ] of what is told
  Eigen::MatrixXd with_rows;  // E[(row − mean)·xᵀ]
};

std::vector<float> numbers_of(const Eigen::MatrixXd& matrix) {
  const Eigen::MatrixXf numbers = matrix.cast<float>();
  return {numbers.data(), numbers.data() + numbers.size()};
}

// The space for rows of covariance `covariance` and mean `mean` where errors count by `metric`. The
// 16 largest directions of what places tell are no longer in a row when it is encoded.
PlannedHead fit(Eigen::MatrixXd metric, const Eigen::MatrixXd& covariance,
                const Eigen::VectorXd& mean, const PlaceMoments& places) {
  const Eigen::Index dim = metric.rows();
  metric.diagonal().array() += regularisation * metric.trace() / dim;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> of_metric(metric);
  const Eigen::MatrixXd a = of_metric.operatorSqrt();
  Eigen::MatrixXd left = a * covariance * a;
  Eigen::MatrixXd basis(dim, 0);
  if (places.own.size() > 0) {
    const Eigen::MatrixXd told = a * places.own * a;
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> of_told(told);
    basis = of_told.eigenvectors().rightCols(n_place_numbers);
    // Of row − P·x with P onto the basis; not all that is told comes true.
    const Eigen::MatrixXd onto = basis * basis.transpose();
    const Eigen::MatrixXd with_rows = a * places.with_rows * a * onto;
    left += onto * told * onto - with_rows - with_rows.transpose();
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> principal(left);
  // Eigenvalues come in rising order.
  Eigen::MatrixXd turn = principal.eigenvectors().rowwise().reverse().transpose();
  const Eigen::VectorXd variance = principal.eigenvalues().reverse().cwiseMax(0.0);
  PlannedHead head;
  const Eigen::MatrixXd h = hadamard_16();
  for (Eigen::Index first = 0; first < dim; first += group_channels) {
    turn.middleRows(first, group_channels) = (h * turn.middleRows(first, group_channels)).eval();
    head.variance.push_back(static_cast<float>(variance.segment(first, group_channels).mean()));
  }
  const Eigen::MatrixXd t = turn * a;
  head.place_basis = numbers_of(turn * basis);
  head.mean = numbers_of(mean);
  // Row i of what multiply() wants is column i of T, as T lies here.
  const double unit = 1.0 / std::sqrt(std::max(variance.mean(), 1e-30));
  head.into = numbers_of(t * unit);
  return head;
}

PlaceMoments place_moments(const HeadStatistics& s, const PlannedSide& side,
                           const Eigen::VectorXd& mean, const Eigen::VectorXf& base) {
  const auto dim = static_cast<std::size_t>(side.head_dim);
  PlaceMoments moments{Eigen::MatrixXd::Zero(side.head_dim, side.head_dim),
                       Eigen::MatrixXd::Zero(side.head_dim, side.head_dim)};
  for (Eigen::Index cell = 0; cell < side.frame_cells; ++cell) {
    Eigen::VectorXf turned = base;
    turn_head(side.rotation, turn_of(side.rotation, static_cast<int>(cell)), {turned.data(), dim});
    const Eigen::VectorXd told = turned.cast<double>() - mean;
    const double n = s.n_at_place[cell];
    const Eigen::VectorXd rows = s.place_sums.row(cell).transpose().cast<double>() - n * mean;
    moments.own += n / s.n_rows * told * told.transpose();
    moments.with_rows += rows / s.n_rows * told.transpose();
  }
  return moments;
}

// A soft cap bends scores before softmax, which then sees a mean that is left out.
PlannedHead fit_keys(const HeadStatistics& s, const PlannedSide& side, bool softcapped) {
  const Eigen::VectorXd mean = s.k_sum.cast<double>() * (softcapped ? 0 : 1 / s.n_rows);
  const Eigen::MatrixXd covariance = s.kk.cast<double>() / s.n_rows - mean * mean.transpose();
  const Eigen::VectorXf base = s.base_sum / static_cast<float>(s.n_rows);
  const PlaceMoments places =
      side.frame_cells > 0 ? place_moments(s, side, mean, base) : PlaceMoments{};
  PlannedHead head = fit(s.qq.cast<double>() / s.n_queries, covariance, mean, places);
  if (side.frame_cells > 0) head.base.assign(base.data(), base.data() + base.size());
  return head;
}

// [n_embd, n_heads · head_dim]; rows weighted by the norms that come behind: without them the few
// massive channels of the residual stream, which norms make small, would decide everything.
Rows output_weights(const host::WeightFile& file, int layer) {
  const auto read = [&](const char* what) {
    return file.read(fmt::format("blk.{}.{}.weight", layer, what));
  };
  const host::Weights weights = read("attn_output");
  Rows w = Eigen::Map<const Rows>(weights.numbers.data(), weights.n_rows, weights.n_columns);
  for (const char* name : {"post_attention_norm", "ffn_norm"}) {
    const host::Weights norm = read(name);
    if (static_cast<Eigen::Index>(norm.numbers.size()) != w.rows()) continue;
    w.array().colwise() *= Eigen::Map<const Eigen::ArrayXf>(norm.numbers.data(), w.rows());
  }
  return w;
}

PlannedHead fit_values(const HeadStatistics& s, const Rows& w, int kv_head) {
  const Eigen::Index dim = s.vv.rows();
  const Eigen::Index group = s.p_products.rows();
  Eigen::MatrixXd metric = Eigen::MatrixXd::Identity(dim, dim);
  if ((kv_head + 1) * group * dim <= w.cols()) {
    metric.setZero();
    const auto of_head = [&](Eigen::Index g) {
      return w.middleCols((kv_head * group + g) * dim, dim);
    };
    for (Eigen::Index g = 0; g < group; ++g) {
      for (Eigen::Index h = 0; h < group; ++h) {
        metric += (s.p_products(g, h) * of_head(g).transpose() * of_head(h)).cast<double>();
      }
    }
    metric = (0.5 * (metric + metric.transpose())).eval();
  }
  // Half by how much each value is looked at.
  const double power = s.vv.trace() / s.n_rows;
  const Eigen::MatrixXd plain = s.vv.cast<double>() / s.n_rows;
  const Eigen::MatrixXd seen = s.vv_seen.cast<double>() * (power / s.vv_seen.trace());
  return fit(metric / metric.trace(), 0.5 * (plain + seen), Eigen::VectorXd::Zero(dim), {});
}

}  // namespace

std::vector<PlannedLayer> calibrate(const CalibrationCall& call) {
  Statistics statistics;
  statistics.frame_cells = call.frame_cells;
  read(call, statistics);
  if (statistics.layers.empty())
    throw Error(call.packed->file() + ": no layer that can be calibrated");
  std::vector<PlannedLayer> plan(static_cast<std::size_t>(statistics.layers.rbegin()->first) + 1);
  const host::WeightFile file(call.packed->file());
  double n_done = 0;
  for (const auto& [index, layer] : statistics.layers) {
    PlannedLayer& planned = plan[static_cast<std::size_t>(index)];
    planned.keys.head_dim = layer.head_dim_k;
    planned.values.head_dim = layer.head_dim_v;
    planned.keys.windowed = planned.values.windowed = layer.windowed;
    // Whose angles are not known stay as they are without a plan.
    if (layer.rotation) {
      planned.keys.rotation = *layer.rotation;
      planned.keys.frame_cells = call.frame_cells;
      for (const HeadStatistics& head : layer.heads) {
        planned.keys.heads.push_back(fit_keys(head, planned.keys, layer.softcapped));
      }
    }
    const Rows w = output_weights(file, index);
    for (std::size_t head = 0; head < layer.heads.size(); ++head) {
      planned.values.heads.push_back(fit_values(layer.heads[head], w, static_cast<int>(head)));
    }
    call.progress("fitting", ++n_done / statistics.layers.size());
  }
  return plan;
}

}  // namespace kvsplit::tune
