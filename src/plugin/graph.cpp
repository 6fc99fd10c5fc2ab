#include "plugin/graph.h"

#include <algorithm>
#include <exception>
#include <span>
#include <utility>

#include "base/error.h"
#include "plugin/buffer.h"
#include "plugin/process.h"

namespace kvsplit::plugin {
namespace {

constexpr const char* no_flash_attention = "packed caches need flash attention (-fa on)";

std::span<ggml_tensor*> nodes_of(ggml_cgraph* graph) {
  return {ggml_graph_nodes(graph), static_cast<std::size_t>(ggml_graph_n_nodes(graph))};
}

void write_rows(const Work& work, const ggml_tensor& node, Worker worker) {
  const ggml_tensor& values = *node.src[0];
  const ggml_tensor& numbers = *node.src[1];
  const auto n_rows = static_cast<std::size_t>(values.ne[1]);
  const auto* rows = static_cast<const std::int64_t*>(numbers.data);
  std::vector<std::int64_t> wide;
  if (numbers.type == GGML_TYPE_I32) {
    const auto* const narrow = static_cast<const std::int32_t*>(numbers.data);
    wide.assign(narrow, narrow + n_rows);
    rows = wide.data();
  }
  const auto* const first = static_cast<const float*>(values.data);
  if (!work.cache->write({first, values.nb[1], {rows, n_rows}}, worker)) {
    throw Error("a row beyond the end is written");
  }
}

// SET_ROWS: whole rows, to all of a cache.
std::string plan_write(const ggml_tensor& node, Work& work) {
  work.run = write_rows;
  const ggml_tensor& values = *node.src[0];
  const HostedTensor& cache = *work.cache;
  // Without it values are written transposed, and there is no attention that shows the head size.
  if (node.ne[0] != cache.nominal().n_channels || cache.rows().head_dim() == 0) {
    return no_flash_attention;
  }
  const bool all = node.data == cache.address() &&
                   node.ne[1] * node.ne[2] * node.ne[3] == cache.nominal().cells.n_rows();
  return all && values.type == GGML_TYPE_F32 && values.ne[2] * values.ne[3] == 1
             ? ""
             : "not rows of numbers in f32";
}

// What to do for a node that writes to the packed cache `target`, or, if that is null, only reads
// work.cache. Returns "" or why that is not known.
std::string plan(const ggml_tensor& node, const HostedTensor* target, Work& work) {
  if (node.op == GGML_OP_FLASH_ATTN_EXT) return plan_attention(node, work);
  if (node.op == GGML_OP_SET_ROWS && target != nullptr) return plan_write(node, work);
  if (node.op == GGML_OP_CPY || node.op == GGML_OP_ROPE) {
    return plan_key_shift(node, target != nullptr ? node : *node.src[0], work);
  }
  return node.op == GGML_OP_MUL_MAT || node.op == GGML_OP_CONT ? no_flash_attention
                                                               : "not done on packed caches";
}

}  // namespace

void GraphRewriter::rewrite(ggml_cgraph* graph, int n_threads) {
  if (!workspace_ || workspace_->n_threads() < n_threads) {
    workspace_ = std::make_unique<Workspace>(n_threads);
  }
  settle_caches(graph);
  for (ggml_tensor* node : nodes_of(graph)) rewrite_node(node);
}

// Head sizes are known from attention alone, and must be before anything is written.
void GraphRewriter::settle_caches(ggml_cgraph* graph) {
  for (const ggml_tensor* attention : nodes_of(graph)) {
    const ggml_tensor& node = *attention;
    if (node.op != GGML_OP_FLASH_ATTN_EXT) continue;
    HostedTensor* const keys = find_cache(*node.src[1]);
    HostedTensor* const values = find_cache(*node.src[2]);
    const std::string why = bind_pair(keys, node.src[1]->ne[0], values, node.src[2]->ne[0]);
    for (const auto& [cache, view] :
         {std::pair(keys, node.src[1]), std::pair(values, node.src[2])}) {
      if (cache != nullptr && !why.empty()) table_of(*view).leave_unpacked(*cache, why);
    }
    if (keys != nullptr) table_of(*node.src[1]).take_untold(untold_);
    if (values != nullptr) table_of(*node.src[2]).take_untold(untold_);
  }
  if (!untold_.empty()) report_caches(untold_);
  untold_.clear();
}

// The packed cache that the tensor is, or is a view of. A tensor of one that has moved follows it.
HostedTensor* GraphRewriter::packed_cache(ggml_tensor* tensor) {
  HostedTensor* const cache = find_cache(*tensor);
  if (cache == nullptr || cache->packed()) return cache;
  std::byte* const rows = cache->nominal_rows();
  auto* const data = static_cast<std::byte*>(tensor->data);
  if (cache->moved() && (data < rows || data >= rows + cache->nominal().bytes())) {
    moved_.push_back({tensor, data});
    tensor->data = rows + (data - cache->address());
  }
  return nullptr;
}

void GraphRewriter::rewrite_node(ggml_tensor* node) {
  if (computes_nothing(node->op)) return;
  HostedTensor* const target = packed_cache(node);
  HostedTensor* touched = target;
  for (ggml_tensor* source : node->src) {
    HostedTensor* const cache = source == nullptr ? nullptr : packed_cache(source);
    if (touched == nullptr) touched = cache;
  }
  if (touched == nullptr) return;
  Work work;
  work.cache = touched;
  work.workspace = workspace_.get();
  const std::string why = plan(*node, target, work);
  if (!why.empty()) throw Error(ggml_op_desc(node) + (" of " + touched->name()) + ": " + why);
  replace(node, work);
}

void GraphRewriter::replace(ggml_tensor* node, const Work& work) {
  if (n_replaced_ == replaced_.size()) {
    Replaced& place = replaced_.emplace_back();
    place.owner = this;
    place.params = custom_op_params(run, &place);
  }
  Replaced& replaced = replaced_[n_replaced_++];
  replaced.work = work;
  replaced.node = node;
  replaced.op = node->op;
  std::copy_n(std::begin(node->op_params), replaced.params.size(), replaced.work.params.begin());
  std::ranges::copy(replaced.params, std::begin(node->op_params));
  node->op = GGML_OP_CUSTOM;
}

// What ggml calls on each of its threads.
void GraphRewriter::run(ggml_tensor* node, int index, int count, void* data) {
  const Replaced& replaced = *static_cast<const Replaced*>(data);
  try {
    replaced.work.run(replaced.work, *node, {index, count});
  } catch (const std::exception& error) {
    replaced.owner->failure_.change([&](std::string& first) {
      if (first.empty()) first = replaced.work.cache->name() + ": " + error.what();
    });
  }
}

void GraphRewriter::restore() {
  for (; n_replaced_ > 0; --n_replaced_) {
    const Replaced& replaced = replaced_[n_replaced_ - 1];
    replaced.node->op = replaced.op;
    std::ranges::copy(replaced.work.params, std::begin(replaced.node->op_params));
  }
  for (const Moved& moved : moved_) moved.tensor->data = moved.data;
  moved_.clear();
}

}  // namespace kvsplit::plugin
