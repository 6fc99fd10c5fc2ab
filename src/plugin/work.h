#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cache/attention.h"
#include "cache/hosted_tensor.h"
#include "plugin/host_version.h"

// What we do in the place of one node of the host's graph that works on packed caches.
namespace kvsplit::plugin {

struct Work {
  /// Runs on each of ggml's threads; the node is as the host made it. Error: what cannot be done
  /// with these numbers.
  void (*run)(const Work&, const ggml_tensor& node, Worker) = nullptr;
  HostedTensor* cache = nullptr;   ///< keys, where there are both
  HostedTensor* values = nullptr;  ///< of attention
  AttentionCall attention = {};
  Workspace* workspace = nullptr;
  /// Of the rows that are written, in their text; null: not known.
  const std::int32_t* positions = nullptr;
  /// By how much a copy of keys has moved each row of the cache; empty: not known.
  std::vector<std::int32_t> shifts = {};
  std::optional<Rotation> rotation = {};  ///< of these, where a calibration wants to know
};

/// Fills `numbers` with what the ROPE before a node is told of its `n` rows, if that is an input:
/// those are set before the graph is computed; when the node is, their memory may be another's.
/// Returns the ROPE; nullptr: there is none such. `through_products`: behind one by a matrix too.
const ggml_tensor* find_rope_input(const ggml_tensor* node, bool through_products, std::int64_t n,
                                   std::vector<std::int32_t>& numbers);

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
