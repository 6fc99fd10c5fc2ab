#include "tune/statistics.h"

#include <cmath>

#include "base/half.h"

namespace kvsplit::tune {
namespace {

constexpr int n_sinks = 4;  // tokens at the start of a window that everything looks at

using Strided = Eigen::Map<const Rows, 0, Eigen::OuterStride<>>;

Eigen::Index strided(std::size_t bytes) { return static_cast<Eigen::Index>(bytes / sizeof(float)); }

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
    const auto* const mask =
        reinterpret_cast<const Half*>(reinterpret_cast<const std::byte*>(call.mask) +
                                      static_cast<std::size_t>(token) * call.mask_token_stride);
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
    const Rows& mine = p[static_cast<std::size_t>(g)];
    seen += mine.cwiseAbs2().colwise().sum().transpose();
    for (Eigen::Index h = 0; h < n_heads; ++h) {
      products(g, h) =
          mine.rightCols(n).cwiseProduct(p[static_cast<std::size_t>(h)].rightCols(n)).sum();
    }
  }
  add(head.p_products, products);
  const auto own_v = v.bottomRows(n);
  add(head.vv, own_v.transpose() * own_v);
  add(head.vv_seen, own_v.transpose() * seen.tail(n).asDiagonal() * own_v);
}

void turn_rows_back(const Rotation& rotation, int position, Rows& rows) {
  const Turn turn = turn_of(rotation, position);
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    turn_head(rotation, turn, {&rows(i, 0), static_cast<std::size_t>(rows.cols())}, -1);
  }
}

void learn_frame(const Rows& k, std::vector<Rows> queries, const Rotation& rotation, int position,
                 HeadStatistics& head) {
  add(head.kk, k.transpose() * k);
  add(head.k_sum, k.colwise().sum().transpose());
  head.n_rows += static_cast<double>(k.rows());
  for (Rows& q : queries) {
    turn_rows_back(rotation, position, q);
    add(head.qq, q.transpose() * q);
    head.n_queries += static_cast<double>(q.rows());
  }
}

Eigen::VectorXf sum_before_rotation(Rows k, const Rotation& rotation, int first_position) {
  for (Eigen::Index i = 0; i < k.rows(); ++i) {
    const Turn turn = turn_of(rotation, first_position + static_cast<int>(i));
    turn_head(rotation, turn, {&k(i, 0), static_cast<std::size_t>(k.cols())}, -1);
  }
  return k.colwise().sum().transpose();
}

}  // namespace

void Statistics::rows(const NominalRows& cache, const WriteCall& call) {
  if (!on) return;
  (cache.side == Side::key ? keys_ : values_) =
      Strided(call.values, static_cast<Eigen::Index>(call.rows.size()), cache.n_channels,
              Eigen::OuterStride<>(strided(call.row_stride)));
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
    std::vector<Rows> later;
    later.reserve(queries.size());
    for (const Rows& q : queries) later.emplace_back(q.bottomRows(n - begin));
    const Rows own = keys_.block(begin, kv_head * layer.head_dim_k, end - begin, layer.head_dim_k);
    add(head.base_sum, sum_before_rotation(own, rotation, static_cast<int>(begin)));
    if (head.place_sums.size() == 0) {
      head.place_sums = Eigen::MatrixXf::Zero(frame, own.cols());
      head.n_at_place = Eigen::VectorXf::Zero(frame);
    }
    head.n_at_place.segment(begin - first, own.rows()).array() += 1;
    Rows turned = own;
    turn_rows_back(rotation, static_cast<int>(first), turned);
    head.place_sums.middleRows(begin - first, own.rows()) += turned;
    learn_frame(turned, std::move(later), rotation, static_cast<int>(first), head);
  }
}

void Statistics::attention(const NominalRows& keys, const AttentionCall& call) {
  if (!on || call.n_tokens <= n_sinks || keys_.rows() != call.n_tokens) return;
  LayerStatistics& layer = layers[keys.layer];
  const auto n_kv_heads = static_cast<int>(keys.n_channels / call.head_dim);
  layer.head_dim_k = call.head_dim;
  layer.rotation = rotation_;
  layer.softcapped = call.softcap != 0;
  layer.head_dim_v = static_cast<int>(values_.cols()) / n_kv_heads;
  layer.heads.resize(static_cast<std::size_t>(n_kv_heads));
  const int group = call.n_heads / n_kv_heads;
  for (int kv_head = 0; kv_head < n_kv_heads; ++kv_head) {
    std::vector<Rows> queries;
    queries.reserve(static_cast<std::size_t>(group));
    for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      const float* const q = call.q + static_cast<std::size_t>(head) * strided(call.q_head_stride);
      queries.emplace_back(call.scale *
                           Strided(q, call.n_tokens, call.head_dim,
                                   Eigen::OuterStride<>(strided(call.q_token_stride))));
    }
    learn_keys(kv_head, queries, layer);
    learn_values(keys_.middleCols(kv_head * layer.head_dim_k, layer.head_dim_k),
                 values_.middleCols(kv_head * layer.head_dim_v, layer.head_dim_v), queries, call,
                 layer.heads[static_cast<std::size_t>(kv_head)]);
  }
}

}  // namespace kvsplit::tune
