#include <bit>

#include "plugin/buffer.h"
#include "plugin/work.h"

namespace kvsplit::plugin {
namespace {

void run(const Work& work, const ggml_tensor& /*node*/, Worker worker) {
  attend(*work.cache, *work.values, work.attention, *work.workspace, worker);
}

Strides strides(const ggml_tensor& tensor) { return {tensor.nb[1], tensor.nb[2], tensor.nb[3]}; }

// A view for attention shows all heads of the first n_kv cells of some streams. Which is the first
// of them? -1: it is another kind of view.
int first_stream(const ggml_tensor& view, const HostedTensor& cache) {
  const NominalRows& nominal = cache.nominal();
  const std::size_t offset = cache.offset_of(view.data);
  const std::size_t stream_bytes = nominal.row_bytes * nominal.cells.kv_size;
  const bool all_heads = view.ne[0] * view.ne[2] == nominal.n_channels &&
                         (view.ne[2] == 1 || view.nb[2] == ggml_row_size(view.type, view.ne[0]));
  const bool first_cells = view.nb[1] == nominal.row_bytes && offset % stream_bytes == 0 &&
                           view.ne[1] <= nominal.cells.kv_size &&
                           (view.ne[3] == 1 || view.nb[3] == stream_bytes);
  return all_heads && first_cells ? static_cast<int>(offset / stream_bytes) : -1;
}

}  // namespace

std::string plan_attention(const ggml_tensor& node, Work& work) {
  const ggml_tensor& q = *node.src[0];
  const ggml_tensor& k = *node.src[1];
  const ggml_tensor& v = *node.src[2];
  const ggml_tensor* const mask = node.src[3];
  work.run = run;
  work.cache = find_cache(k);
  work.values = find_cache(v);
  if (work.cache == nullptr || work.values == nullptr) return "keys and values are not both caches";
  AttentionCall& call = work.attention;
  call.first_stream = first_stream(k, *work.cache);
  if (call.first_stream < 0 || call.first_stream != first_stream(v, *work.values) ||
      k.ne[1] != v.ne[1] || k.ne[2] != v.ne[2] || q.ne[2] % k.ne[2] != 0 || q.ne[3] != k.ne[3] ||
      q.type != GGML_TYPE_F32 || q.nb[0] != sizeof(float)) {
    return "not an attention on all heads";
  }
  call.n_heads = q.ne[2];
  call.head_dim = static_cast<int>(q.ne[0]);
  call.n_tokens = q.ne[1];
  call.n_streams = q.ne[3];
  call.n_kv = k.ne[1];
  call.q = static_cast<const float*>(q.data);
  call.q_strides = strides(q);
  if (mask != nullptr) {
    call.mask = static_cast<const Half*>(mask->data);
    call.mask_strides = strides(*mask);
    call.mask_heads = mask->ne[2];
    call.mask_streams = mask->ne[3];
  }
  call.scale = std::bit_cast<float>(node.op_params[0]);
  call.max_bias = std::bit_cast<float>(node.op_params[1]);
  call.softcap = std::bit_cast<float>(node.op_params[2]);
  if (node.src[4] != nullptr) call.sinks = static_cast<const float*>(node.src[4]->data);
  call.out = static_cast<float*>(node.data);
  return {};
}

}  // namespace kvsplit::plugin
