#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/shared.h"
#include "plugin/work.h"

namespace kvsplit::plugin {

/// Makes a graph computable by a stock CPU backend, for the time of one compute: the operations on
/// packed caches become custom ones, and those on caches that are not packed after all are sent to
/// their new memory. Graphs are used again, so all of it is undone afterwards.
class GraphRewriter {
 public:
  /// Error: why this graph cannot be computed.
  void rewrite(ggml_cgraph* graph, int n_threads);
  void restore();

  /// What went wrong while the graph was computed, "" otherwise; then it is forgotten.
  std::string take_failure() { return failure_.set({}); }

 private:
  struct Replaced {
    GraphRewriter* owner = nullptr;
    Work work;
    const ggml_tensor* node = nullptr;  ///< as it was
    OpParams params{};                  ///< of a node that calls this; they go with its place
  };

  static void run(ggml_tensor* node, int index, int count, void* data);
  void look_at(ggml_cgraph* graph);
  void rewrite_node(ggml_tensor* node);
  HostedTensor* packed_cache(ggml_tensor* tensor);

  std::unique_ptr<Workspace> workspace_;
  std::uint64_t graph_uid_ = 0;      ///< of the graph that nodes_ are of; 0: of none
  std::vector<ggml_tensor*> nodes_;  ///< that read or write caches, in the graph's order
  std::deque<Replaced> replaced_;    ///< the first n_replaced_ are in use; places are kept
  std::size_t n_replaced_ = 0;
  std::deque<std::pair<ggml_tensor*, ggml_tensor>> changed_;  ///< and what they were
  std::vector<std::int32_t> positions_;  ///< of the rows that the graph writes; empty: not known
  Shared<std::string> failure_;
};

}  // namespace kvsplit::plugin
