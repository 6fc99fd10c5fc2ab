#pragma once

#include <Eigen/Dense>
#include <optional>

#include "cache/hosted_tensor.h"
#include "measure/comparison.h"

// A model reads a text, and a tap sees what each layer's cache and attention are given: what
// calibration and explanation share.
namespace kvsplit::tune {

using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

inline constexpr int n_sinks = 4;  ///< tokens at the start of a window that everything looks at

/// Keeps the rows of the layer at hand for whoever looks at its attention.
class LayerTap : public Tap {
 public:
  void rows(const NominalRows& cache, const WriteCall& call) final;

  bool on = false;  ///< off while the host warms up

 protected:
  /// Whether the attention is that of a window and its own rows, long enough to learn from.
  bool knows(const AttentionCall& call) const;

  Rows all_keys, all_values;  ///< [n_tokens, n_channels]
  std::optional<Rotation> key_rotation;
};

/// Decodes the call's windows, each in one graph from an empty cache of 16 bits, with the tap on.
/// Its caches are not looked at. Error: llama.cpp fails.
void read(const measure::ComparisonCall& text, LayerTap& watching);

/// Of one query head, scaled: its last `n_tokens` tokens.
Rows queries(const AttentionCall& call, int head, Eigen::Index n_tokens);

/// ln of the weights in AttentionCall's softmax of such queries: [q.rows(), k.rows()], with one
/// column more for a sink's logit where the call has some.
Rows log_attention(const Rows& q, const Rows& k, const AttentionCall& call, int head);

/// Rows of a head, each turned by its position, which for row 0 is `first`; direction -1: back.
Rows turned(Rows rows, const Rotation& rotation, Eigen::Index first, float direction);

}  // namespace kvsplit::tune
