#include "plugin/graph.h"

#include <algorithm>
#include <exception>
#include <span>

#include "base/error.h"
#include "plugin/buffer.h"
#include "plugin/process.h"

namespace kvsplit::plugin {
namespace {

constexpr const char* no_flash_attention = "packed caches need flash attention (-fa on)";

bool is_on_cache(const ggml_tensor* node) {
  const auto hosted = [](const auto* x) { return x != nullptr && find_cache(*x) != nullptr; };
  return !computes_nothing(node->op) && (hosted(node) || std::ranges::any_of(node->src, hosted));
}

void write_rows(const Work& work, const ggml_tensor& node, Worker worker) {
  const ggml_tensor& values = *node.src[0];
  const ggml_tensor& numbers = *node.src[1];
  const auto* const wide = static_cast<const std::int64_t*>(numbers.data);
  const auto* const narrow = static_cast<const std::int32_t*>(numbers.data);
  const bool is_narrow = numbers.type == GGML_TYPE_I32;
  const std::vector<std::int64_t> widened(narrow, narrow + (is_narrow ? values.ne[1] : 0));
  const WriteCall call{
      .values = static_cast<const float*>(values.data),
      .row_stride = values.nb[1],
      .rows = {is_narrow ? widened.data() : wide, static_cast<std::size_t>(values.ne[1])},
      .positions = work.positions,
      .rotation = work.rotation ? &*work.rotation : nullptr,
      .fresh = &work.workspace->fresh(work.cache->rows().side(), work.cache->nominal().layer)};
  if (!work.cache->write(call, worker)) throw Error("a row beyond the end is written");
}

// SET_ROWS: whole rows, to all of a cache.
std::string plan_write(const ggml_tensor& node, Work& work) {
  work.run = write_rows;
  const ggml_tensor& values = *node.src[0];
  const NominalRows& nominal = work.cache->nominal();
  if (node.ne[0] != nominal.n_channels) return no_flash_attention;  // values, transposed
  const bool all = node.data == work.cache->address() &&
                   node.ne[1] * node.ne[2] * node.ne[3] == nominal.cells.n_rows();
  if (tap() != nullptr) {
    std::vector<std::int32_t> positions;
    const ggml_tensor* const rope = find_rope_input(&values, false, values.ne[1], positions);
    if (rope != nullptr) work.rotation = rotation_of(rope_parameters(*rope));
  }
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
  return node.op == GGML_OP_MUL_MAT ? no_flash_attention : "not done on packed caches";
}

// Head sizes are known from attention alone, and must be before anything is written. What is read
// otherwise, by an indexer or an attention that adds a bias to its scores, is not packed.
void settle_caches(std::span<ggml_tensor* const> nodes) {
  std::vector<const HostedTensor*> untold;
  for (const ggml_tensor* node : nodes) {
    if (node->op != GGML_OP_FLASH_ATTN_EXT) continue;
    const ggml_tensor& k = *node->src[1];
    const ggml_tensor& v = *node->src[2];
    const std::string why = bind_pair(find_cache(k), k.ne[0], find_cache(v), v.ne[0]);
    for (const ggml_tensor* x : {&k, &v}) {
      if (HostedTensor* const cache = find_cache(*x)) table_of(*x).leave_unpacked(cache, why);
    }
  }
  const auto written = [](const ggml_tensor& node) {
    return node.op == GGML_OP_SET_ROWS ? find_cache(node) : nullptr;
  };
  for (const ggml_tensor* node : nodes) {
    HostedTensor* const cache = written(*node);
    if (cache != nullptr) {
      table_of(*node).leave_unpacked(cache, cache->bind_no_heads(node->ne[0]));
    }
  }
  for (const ggml_tensor* node : nodes) {
    if (written(*node) != nullptr) table_of(*node).take_untold(untold);
  }
  if (!untold.empty()) report_caches(untold);
}

}  // namespace

void GraphRewriter::rewrite(ggml_cgraph* graph, int n_threads) {
  if (!workspace_ || workspace_->n_threads() < n_threads) {
    workspace_ = std::make_unique<Workspace>(n_threads);
  }
  look_at(graph);
  settle_caches(nodes_);
  for (ggml_tensor* node : nodes_) rewrite_node(node);
}

// Walking a whole graph takes longer than all else here, and a token's graph is mostly the last
// one's again. Keys that are rotated tell the positions of all rows that a graph writes, values and
// keys of layers without rotation too.
void GraphRewriter::look_at(ggml_cgraph* graph) {
  const std::uint64_t uid = graph_uid(*graph);
  if (uid == 0 || uid != graph_uid_) {
    nodes_.clear();
    graph_uid_ = 0;  // should this end for want of memory
    ggml_tensor** const all = ggml_graph_nodes(graph);
    std::copy_if(all, all + ggml_graph_n_nodes(graph), std::back_inserter(nodes_), is_on_cache);
    graph_uid_ = uid;
  }
  positions_.clear();
  for (const ggml_tensor* node : nodes_) {
    if (node->op != GGML_OP_SET_ROWS) continue;
    if (find_rope_input(node->src[0], false, node->src[0]->ne[1], positions_) != nullptr) return;
  }
}

// The packed cache that the tensor is, or is a view of. A tensor of one that has moved follows it.
HostedTensor* GraphRewriter::packed_cache(ggml_tensor* tensor) {
  HostedTensor* const cache = find_cache(*tensor);
  if (cache == nullptr || cache->packed()) return cache;
  std::byte* const rows = cache->nominal_rows();
  auto* const data = static_cast<std::byte*>(tensor->data);
  if (cache->moved() && (data < rows || data >= rows + cache->nominal().bytes())) {
    changed_.emplace_back(tensor, *tensor);
    tensor->data = rows + (data - cache->address());
  }
  return nullptr;
}

void GraphRewriter::rewrite_node(ggml_tensor* node) {
  HostedTensor* const target = packed_cache(node);
  HostedTensor* touched = target;
  for (ggml_tensor* source : node->src) {
    HostedTensor* const cache = source == nullptr ? nullptr : packed_cache(source);
    if (touched == nullptr) touched = cache;
  }
  if (touched == nullptr) return;
  if (n_replaced_ == replaced_.size()) {
    Replaced& place = replaced_.emplace_back();
    place.owner = this;
    place.params = custom_op_params(run, &place);
  }
  Replaced& replaced = replaced_[n_replaced_];
  replaced.work = {.cache = touched, .workspace = workspace_.get()};
  if (node->op == GGML_OP_SET_ROWS && std::ssize(positions_) == node->src[0]->ne[1]) {
    replaced.work.positions = positions_.data();
  }
  const std::string why = plan(*node, target, replaced.work);
  if (!why.empty()) throw Error(ggml_op_desc(node) + (" of " + touched->name()) + ": " + why);
  ++n_replaced_;
  replaced.node = &changed_.emplace_back(node, *node).second;
  std::ranges::copy(replaced.params, std::begin(node->op_params));
  node->op = GGML_OP_CUSTOM;
}

// What ggml calls on each of its threads.
void GraphRewriter::run(ggml_tensor* /*node*/, int index, int count, void* data) {
  const Replaced& replaced = *static_cast<const Replaced*>(data);
  const auto fail = [&](const std::string& reason) {
    replaced.owner->failure_.change([&](auto& first) {
      if (first.empty()) first = reason;
    });
  };
  try {
    replaced.work.run(replaced.work, *replaced.node, {index, count});
  } catch (const std::bad_alloc& error) {
    fail(reason_of(error));  // so short that it needs no memory
  } catch (const std::exception& error) {
    fail(replaced.work.cache->name() + ": " + error.what());
  }
}

void GraphRewriter::restore() {
  for (; !changed_.empty(); changed_.pop_back()) *changed_.back().first = changed_.back().second;
  n_replaced_ = 0;
}

}  // namespace kvsplit::plugin
