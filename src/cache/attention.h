#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/worker.h"
#include "cache/packed_tensor.h"

namespace kvsplit {

/// Bytes from one to the next.
struct Strides {
  std::size_t token = 0, head = 0, stream = 0;

  std::size_t to(int at_stream, int at_head, int at_token) const {
    return at_stream * stream + at_head * head + at_token * token;
  }
};

/// What the host asks of attention, free of the host's types.
///   out[s, t, h] = Σ_c v[s, c] ·
///       softmax_c(softcap(scale · q[s, t, h] · k[s, c]) + slope(h) · mask[t, c])
struct AttentionCall {
  int n_heads = 0;    ///< query heads; a multiple of the KV heads
  int head_dim = 0;   ///< of keys and queries
  int n_tokens = 0;   ///< query tokens per stream
  int n_streams = 1;  ///< streams looked at, from first_stream on
  int first_stream = 0;
  std::int64_t n_kv = 0;  ///< cells looked at in each stream, from its first

  const float* q = nullptr;  ///< [n_streams, n_heads, n_tokens, head_dim_k]
  Strides q_strides;

  /// f16 [mask_streams, mask_heads, n_tokens, n_kv]; -inf = not visible; null = all visible.
  /// Heads and streams beyond its own count wrap around.
  const Half* mask = nullptr;
  Strides mask_strides;
  int mask_heads = 1, mask_streams = 1;

  float scale = 1.0F;
  float max_bias = 0.0F;         ///< ALiBi: slope of head h from it; 0 = off (slope 1)
  float softcap = 0.0F;          ///< softcap(x) = softcap · tanh(x / softcap); 0 = off
  const float* sinks = nullptr;  ///< [n_heads] a logit that takes part in the sum only; or null

  float* out = nullptr;  ///< [n_streams, n_tokens, n_heads, head_dim_v], contiguous

  const float* query(int stream, int head, int token) const {
    return bytes_on(q, q_strides.to(stream, head, token));
  }
  /// [n_kv]; null = all visible.
  const Half* mask_row(int stream, int head, int token) const {
    if (mask == nullptr) return nullptr;
    return bytes_on(mask, mask_strides.to(stream % mask_streams, head % mask_heads, token));
  }
};

/// What the mask is multiplied by for a head.
float alibi_slope(float max_bias, int head, int n_heads);

/// Working memory of attention for all threads of one backend: a fixed amount per thread, and a
/// bounded one for the pieces of a long context. Calls that share a Workspace must not overlap.
class Workspace {
 public:
  explicit Workspace(int n_threads);
  ~Workspace();
  int n_threads() const;
  /// Where writes keep what the attention after them is to see; see FreshRows. Layers take turns at
  /// two: where layers have no keys and values of their own they look at those of the last two that
  /// have, one with a window and one without (Gemma 3n, Gemma 4).
  FreshRows& fresh(Side side, int layer = 0);
  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// Attention of all query heads on packed keys and values. All workers (count <= the workspace's
/// threads) of a call make it with the same arguments; when the last returns, `out` is complete.
/// The result does not depend on the number of workers. A row that sees no cell gives zeros.
/// Both tensors must be bound to their head sizes. Nothing is thrown.
void attend(const PackedTensor& k, const PackedTensor& v, const AttentionCall&, Workspace&, Worker);

}  // namespace kvsplit
