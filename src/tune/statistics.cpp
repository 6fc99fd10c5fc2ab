#include "tune/statistics.h"

#include <cmath>

#include "base/half.h"

namespace kvsplit::tune {
namespace {

constexpr int n_sinks = 4;  // tokens at the start of a window that everything looks at

// Rows that lie `stride` bytes apart.
Eigen::Map<const Rows, 0, Eigen::OuterStride<>> strided(const float* first, Eigen::Index n_rows,
                                                        Eigen::Index n_columns,
                                                        std::size_t stride) {
  const auto apart = static_cast<Eigen::Index>(stride / sizeof(float));
  return {first, n_rows, n_columns, Eigen::OuterStride<>(apart)};
}

template <class Sum, class More>
void add(Sum& sum, const More& more) {
  if (sum.size() == 0) {
    sum = more;
  } else {
    sum += more;
  }
}

// Softmax over what the mask lets each token see: [n_tokens, n_tokens].
Rows attention_weights(const Rows& q, const Rows& k, const AttentionCall& call) {
  Rows p = q * k.transpose();
  for (Eigen::Index token = 0; token < p.rows(); ++token) {
    const Half* const mask = call.mask_row(0, 0, static_cast<int>(token));
    for (Eigen::Index cell = 0; cell < p.cols(); ++cell) {
      if (mask[cell] == half_minus_infinity) p(token, cell) = -INFINITY;
    }
    p.row(token) = (p.row(token).array() - p.row(token).maxCoeff()).exp();
    p.row(token) /= p.row(token).sum();
  }
  return p;
}

void learn_values(const Rows& k, const Rows& v, const std::vector<Rows>& queries,
                  const AttentionCall& call, HeadStatistics& head) {
  const Eigen::Index n = k.rows() - n_sinks;
  std::vector<Rows> p;
  p.reserve(queries.size());
  for (const Rows& q : queries) p.push_back(attention_weights(q, k, call));
  Eigen::VectorXf seen = Eigen::VectorXf::Zero(k.rows());
  const auto n_heads = static_cast<Eigen::Index>(p.size());
  Eigen::MatrixXf products(n_heads, n_heads);
  for (Eigen::Index g = 0; g < n_heads; ++g) {
    const Rows& mine = p[g];
    seen += mine.cwiseAbs2().colwise().sum().transpose();
    for (Eigen::Index h = 0; h < n_heads; ++h) {
      products(g, h) = mine.rightCols(n).cwiseProduct(p[h].rightCols(n)).sum();
    }
  }
  add(head.p_products, products);
  const auto own_v = v.bottomRows(n);
  add(head.vv, own_v.transpose() * own_v);
  add(head.vv_seen, own_v.transpose() * seen.tail(n).asDiagonal() * own_v);
}

Rows turned_back(Rows rows, const Rotation& rotation, Eigen::Index position) {
  const Turn turn = turn_of(rotation, static_cast<int>(position));
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    turn_head(rotation, turn, {&rows(i, 0), static_cast<std::size_t>(rows.cols())}, -1);
  }
  return rows;
}

}  // namespace

void Statistics::rows(const NominalRows& cache, const WriteCall& call) {
  if (!on) return;
  (cache.side == Side::key ? keys_ : values_) =
      strided(call.values, std::ssize(call.rows), cache.n_channels, call.row_stride);
  if (cache.side != Side::key) return;
  rotation_.reset();
  if (call.rotation != nullptr) rotation_ = *call.rotation;
}

// A window begins at position 0, and its frames do where those of a cache would.
void Statistics::learn_keys(int kv_head, const std::vector<Rows>& queries, LayerStatistics& layer) {
  const Eigen::Index n = keys_.rows();
  const Eigen::Index frame = frame_cells > 0 && layer.rotation ? frame_cells : n;
  const Rotation rotation = layer.rotation.value_or(Rotation{});
  HeadStatistics& head = layer.heads[static_cast<std::size_t>(kv_head)];
  for (Eigen::Index first = 0; first < n; first += frame) {
    const Eigen::Index begin = std::max<Eigen::Index>(first, n_sinks);
    const Eigen::Index end = std::min(first + frame, n);
    const Rows own = keys_.block(begin, kv_head * layer.head_dim_k, end - begin, layer.head_dim_k);
    Rows unrotated = own;
    for (Eigen::Index i = 0; i < own.rows(); ++i) {
      unrotated.row(i) = turned_back(own.row(i), rotation, begin + i);
    }
    add(head.base_sum, unrotated.colwise().sum().transpose());
    if (head.place_sums.size() == 0) {
      head.place_sums = Eigen::MatrixXf::Zero(frame, own.cols());
      head.n_at_place = Eigen::VectorXf::Zero(frame);
    }
    head.n_at_place.segment(begin - first, own.rows()).array() += 1;
    const Rows turned = turned_back(own, rotation, first);
    head.place_sums.middleRows(begin - first, own.rows()) += turned;
    add(head.kk, turned.transpose() * turned);
    add(head.k_sum, turned.colwise().sum().transpose());
    head.n_rows += static_cast<double>(turned.rows());
    for (const Rows& q : queries) {
      const Rows later = turned_back(q.bottomRows(n - begin), rotation, first);
      add(head.qq, later.transpose() * later);
      head.n_queries += static_cast<double>(later.rows());
    }
  }
}

void Statistics::attention(const NominalRows& keys, const AttentionCall& call) {
  if (!on || call.n_tokens <= n_sinks || keys_.rows() != call.n_tokens) return;
  LayerStatistics& layer = layers[keys.layer];
  const auto n_kv_heads = static_cast<int>(keys.n_channels / call.head_dim);
  layer.head_dim_k = call.head_dim;
  layer.rotation = rotation_;
  layer.softcapped = call.softcap != 0;
  layer.windowed = call.mask_row(0, 0, call.n_tokens - 1)[0] == half_minus_infinity;
  layer.head_dim_v = static_cast<int>(values_.cols()) / n_kv_heads;
  layer.heads.resize(static_cast<std::size_t>(n_kv_heads));
  const int group = call.n_heads / n_kv_heads;
  for (int kv_head = 0; kv_head < n_kv_heads; ++kv_head) {
    std::vector<Rows> queries;
    queries.reserve(static_cast<std::size_t>(group));
    for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      queries.emplace_back(call.scale * strided(call.query(0, head, 0), call.n_tokens,
                                                call.head_dim, call.q_strides.token));
    }
    learn_keys(kv_head, queries, layer);
    learn_values(keys_.middleCols(kv_head * layer.head_dim_k, layer.head_dim_k),
                 values_.middleCols(kv_head * layer.head_dim_v, layer.head_dim_v), queries, call,
                 layer.heads[static_cast<std::size_t>(kv_head)]);
  }
}

}  // namespace kvsplit::tune
