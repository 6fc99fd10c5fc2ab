#pragma once

#include <map>
#include <optional>
#include <vector>

#include "tune/reading.h"

namespace kvsplit::tune {

/// What is learnt of one KV head. Sums over tokens; sinks, which are kept exactly, are left out of
/// those of keys and values. Keys and queries are turned back by the position of the key's frame.
struct HeadStatistics {
  Eigen::MatrixXf qq;  ///< Σ q·qᵀ over frames, tokens that see them and query heads, q scaled
  Eigen::MatrixXf kk;  ///< Σ k·kᵀ
  Eigen::VectorXf k_sum;       ///< Σ k
  Eigen::VectorXf base_sum;    ///< Σ k before they are rotated
  Eigen::MatrixXf place_sums;  ///< [frame_cells, head_dim] Σ k at each place of a frame
  Eigen::VectorXf n_at_place;  ///< [frame_cells]
  Eigen::MatrixXf vv;          ///< Σ v·vᵀ
  Eigen::MatrixXf vv_seen;     ///< the same, each value weighted by Σ p² of those who see it
  Eigen::MatrixXf p_products;  ///< Σ p_g · p_h for query heads g, h, over tokens and cells
  double n_rows = 0, n_queries = 0;
};

struct LayerStatistics {
  int head_dim_k = 0, head_dim_v = 0;
  std::optional<Rotation> rotation;  ///< of keys; none: not known
  bool softcapped = false;           ///< scores are
  bool windowed = false;             ///< the last token does not see the first
  std::vector<HeadStatistics> heads;
};

/// Gathers statistics of what is read.
class Statistics : public LayerTap {
 public:
  void attention(const NominalRows& keys, const AttentionCall& call) override;

  int frame_cells = 0;
  std::map<int, LayerStatistics> layers;

 private:
  void learn_keys(int kv_head, const std::vector<Rows>& queries, LayerStatistics& layer);
};

}  // namespace kvsplit::tune
