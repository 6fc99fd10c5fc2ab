#include <algorithm>
#include <vector>

#include "base/error.h"
#include "cache/edit_rows.h"
#include "plugin/buffer.h"
#include "plugin/work.h"

namespace kvsplit::plugin {
namespace {

// That so many bytes of a row hold.
int channels(const ggml_tensor& view, std::size_t bytes) {
  return bytes / ggml_type_size(view.type) * ggml_blck_size(view.type);
}

int first_channel(const ggml_tensor& view, const HostedTensor& cache) {
  return channels(view, cache.offset_of(view.data));
}

// The host's ROPE for a batch of decoded rows, on the thread that asks for it.
class HostRope {
 public:
  HostRope(const ggml_tensor& node, const Work& work)
      : backend_(ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)),
        context_(ggml_init({1U << 16U, nullptr, true})) {
    call_cpu<void>(set_n_threads_name, backend_.get(), 1);
    ggml_context* const context = context_.get();
    const std::int64_t n_heads = node.ne[1];
    rows_ = ggml_new_tensor_3d(context, GGML_TYPE_F32, work.cache->rows().head_dim(), n_heads,
                               max_edited_rows);
    shifts_ = ggml_new_tensor_1d(context, GGML_TYPE_I32, max_edited_rows);
    part_ = ggml_view_3d(context, rows_, node.ne[0], n_heads, max_edited_rows, rows_->nb[1],
                         rows_->nb[2], first_channel(node, *work.cache) * sizeof(float));
    turned_ = ggml_rope_ext_inplace(context, part_, shifts_, node.src[2], node.op_params[1],
                                    node.op_params[2], 0, 1, 1, 0, 1, 0, 0);
    std::ranges::copy(node.op_params, std::begin(turned_->op_params));
    graph_ = ggml_new_graph_custom(context, 8, false);
    ggml_build_forward_expand(graph_, turned_);
  }

  void turn(DecodedRows decoded, const std::int32_t* shifts) {
    std::vector<std::int32_t> chosen(max_edited_rows);
    std::ranges::transform(decoded.rows, chosen.begin(), [&](auto row) { return shifts[row]; });
    shifts_->data = chosen.data();
    rows_->data = decoded.values;
    part_->data = turned_->data = decoded.values + part_->view_offs / sizeof(float);
    const ggml_status status = ggml_backend_graph_compute(backend_.get(), graph_);
    if (status != GGML_STATUS_SUCCESS) throw Error("the host's ROPE failed");
  }

 private:
  ggml_backend_ptr backend_;
  ggml_context_ptr context_;
  ggml_tensor *rows_, *shifts_, *part_, *turned_;
  ggml_cgraph* graph_;
};

void rope(const Work& work, const ggml_tensor& node, Worker worker) {
  const auto* const shifts = static_cast<const std::int32_t*>(node.src[1]->data);
  HostRope host(node, work);
  const auto shift = [&](std::int64_t row) { return shifts[row]; };
  const auto turn = [&](DecodedRows decoded) { host.turn(decoded, shifts); };
  edit_rows(work.cache->rows(), shift, turn, worker);
}

// `numbers`: f32, of the channels that `view` shows.
HeadParts parts(const Work& work, const ggml_tensor& view, const ggml_tensor& numbers) {
  return {first_channel(view, *work.cache), static_cast<int>(view.ne[0]),
          static_cast<std::byte*>(numbers.data), numbers.nb[2], numbers.nb[1]};
}

void decode(const Work& work, const ggml_tensor& node, Worker worker) {
  decode_parts(work.cache->rows(), parts(work, *node.src[0], node), worker);
}

void encode(const Work& work, const ggml_tensor& node, Worker worker) {
  const auto shift = [&](auto row) { return work.shifts.empty() ? 1 : work.shifts[row]; };
  encode_parts(work.cache->rows(), parts(work, node, *node.src[0]), shift, worker);
}

bool is_rope_by_rows(const ggml_tensor& node) {
  return (node.op_params[2] & GGML_ROPE_TYPE_MROPE) == 0 && node.src[1]->ne[0] == node.ne[2];
}

bool is_f32_like(const ggml_tensor& numbers, const ggml_tensor& view) {
  return numbers.type == GGML_TYPE_F32 && numbers.nb[0] == sizeof(float) &&
         find_cache(numbers) == nullptr && ggml_are_same_shape(&numbers, &view);
}

}  // namespace

const ggml_tensor* find_rope_input(const ggml_tensor* node, bool through_products, std::int64_t n,
                                   std::vector<std::int32_t>& numbers) {
  while (node != nullptr && node->op != GGML_OP_ROPE) {
    node = through_products && node->op == GGML_OP_MUL_MAT ? node->src[1] : node->src[0];
  }
  if (node == nullptr || node->src[1]->op != GGML_OP_NONE || node->src[1]->ne[0] != n) return {};
  const auto* const input = static_cast<const std::int32_t*>(node->src[1]->data);
  numbers.assign(input, input + n);
  return node;
}

std::string plan_key_shift(const ggml_tensor& node, const ggml_tensor& view, Work& work) {
  const NominalRows& nominal = work.cache->nominal();
  const std::int64_t head_dim = channels(view, view.nb[1]);
  const bool writes = &view == &node;
  const bool in_place = node.op == GGML_OP_ROPE;
  const bool understood =
      in_place ? writes && is_rope_by_rows(node) : is_f32_like(writes ? *node.src[0] : node, view);
  if (!understood || view.ne[2] != nominal.cells.n_rows() || view.nb[2] != nominal.row_bytes ||
      view.ne[3] != 1 || head_dim * view.ne[1] != nominal.n_channels ||
      first_channel(view, *work.cache) + view.ne[0] > head_dim) {
    return "not a shift of all rows";
  }
  work.run = in_place ? rope : writes ? encode : decode;
  if (writes && !in_place) find_rope_input(&node, true, nominal.cells.n_rows(), work.shifts);
  return work.cache->bind_heads(head_dim);
}

}  // namespace kvsplit::plugin
