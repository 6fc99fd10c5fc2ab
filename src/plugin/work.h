#pragma once

#include <string>
#include <vector>

#include "cache/attention.h"
#include "cache/hosted_tensor.h"
#include "plugin/host_version.h"

// What we do in the place of one node of the host's graph that works on packed caches.
namespace kvsplit::plugin {

struct Work {
  /// Runs on each of ggml's threads. Error: what cannot be done with these numbers.
  void (*run)(const Work&, const ggml_tensor& node, Worker) = nullptr;
  HostedTensor* cache = nullptr;   ///< keys, where there are both
  HostedTensor* values = nullptr;  ///< of attention
  AttentionCall attention;
  Workspace* workspace = nullptr;
  std::vector<bool> turned;  ///< rows that a copy of keys has turned; empty: perhaps all
  OpParams params{};         ///< the node's own
};

// Each looks at a node of one kind and fills `work`; returns "" or why it is not done on packed
// caches.

/// FLASH_ATTN_EXT: q f32 [head_dim, n_tokens, n_heads, n_streams], k and v views [head_dim, n_kv,
/// n_kv_heads, n_streams] of whole caches, mask f16 [n_kv, n_tokens, heads, streams], sinks f32.
std::string plan_attention(const ggml_tensor& node, Work& work);

/// A host whose context is full moves the rest of a text to earlier positions: it rotates cached
/// keys by a shift per row. ROPE does it in place where the nominal type is f16: rows with a shift
/// of 0 stay as they are, bit by bit. Where it is quantised, CPY takes keys to f32 and back, the
/// host's own operations in between. Views are [n_channels, n_heads, all rows]; the head size is
/// bound.
std::string plan_key_shift(const ggml_tensor& node, const ggml_tensor& view, Work& work);

}  // namespace kvsplit::plugin
