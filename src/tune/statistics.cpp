#include "tune/statistics.h"

namespace kvsplit::tune {
namespace {

template <class Sum, class More>
void add(Sum& sum, const More& more) {
  if (sum.size() == 0) {
    sum = more;
  } else {
    sum += more;
  }
}

void learn_values(const Rows& k, const Rows& v, const std::vector<Rows>& queries,
                  const AttentionCall& call, int first_head, HeadStatistics& head) {
  const Eigen::Index n = k.rows() - n_sinks;
  std::vector<Rows> p;
  p.reserve(queries.size());
  for (const Rows& q : queries) {
    const Rows log_p = log_attention(q, k, call, first_head + static_cast<int>(p.size()));
    p.emplace_back(log_p.leftCols(k.rows()).array().exp());
  }
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

// A window begins at position 0, and its frames do where those of a cache would.
void Statistics::learn_keys(int kv_head, const std::vector<Rows>& queries, LayerStatistics& layer) {
  const Eigen::Index n = all_keys.rows();
  const Eigen::Index frame = frame_cells > 0 && layer.rotation ? frame_cells : n;
  const Rotation rotation = layer.rotation.value_or(Rotation{});
  HeadStatistics& head = layer.heads[static_cast<std::size_t>(kv_head)];
  for (Eigen::Index first = 0; first < n; first += frame) {
    const Eigen::Index begin = std::max<Eigen::Index>(first, n_sinks);
    const Eigen::Index end = std::min(first + frame, n);
    const Rows own =
        all_keys.block(begin, kv_head * layer.head_dim_k, end - begin, layer.head_dim_k);
    add(head.base_sum, turned(own, rotation, begin, -1).colwise().sum().transpose());
    if (head.place_sums.size() == 0) {
      head.place_sums = Eigen::MatrixXf::Zero(frame, own.cols());
      head.n_at_place = Eigen::VectorXf::Zero(frame);
    }
    head.n_at_place.segment(begin - first, own.rows()).array() += 1;
    const Rows in_frame = turned_back(own, rotation, first);
    head.place_sums.middleRows(begin - first, own.rows()) += in_frame;
    add(head.kk, in_frame.transpose() * in_frame);
    add(head.k_sum, in_frame.colwise().sum().transpose());
    head.n_rows += static_cast<double>(in_frame.rows());
    for (const Rows& q : queries) {
      const Rows later = turned_back(q.bottomRows(n - begin), rotation, first);
      add(head.qq, later.transpose() * later);
      head.n_queries += static_cast<double>(later.rows());
    }
  }
}

void Statistics::attention(const NominalRows& keys, const AttentionCall& call) {
  if (!knows(call)) return;
  LayerStatistics& layer = layers[keys.layer];
  const auto n_kv_heads = static_cast<int>(keys.n_channels / call.head_dim);
  layer.head_dim_k = call.head_dim;
  layer.rotation = key_rotation;
  layer.softcapped = call.softcap != 0;
  layer.windowed = call.mask_row(0, 0, call.n_tokens - 1)[0] == half_minus_infinity;
  layer.head_dim_v = static_cast<int>(all_values.cols()) / n_kv_heads;
  layer.heads.resize(static_cast<std::size_t>(n_kv_heads));
  const int group = call.n_heads / n_kv_heads;
  for (int kv_head = 0; kv_head < n_kv_heads; ++kv_head) {
    std::vector<Rows> own_queries;
    own_queries.reserve(static_cast<std::size_t>(group));
    for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      own_queries.push_back(queries(call, head, call.n_tokens));
    }
    learn_keys(kv_head, own_queries, layer);
    learn_values(all_keys.middleCols(kv_head * layer.head_dim_k, layer.head_dim_k),
                 all_values.middleCols(kv_head * layer.head_dim_v, layer.head_dim_v), own_queries,
                 call, kv_head * group, layer.heads[static_cast<std::size_t>(kv_head)]);
  }
}

}  // namespace kvsplit::tune
