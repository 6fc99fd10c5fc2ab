#include <algorithm>
#include <memory>
#include <vector>

#include "base/error.h"
#include "cache/edit_rows.h"
#include "plugin/buffer.h"
#include "plugin/work.h"

namespace kvsplit::plugin {
namespace {

const std::int32_t* shifts_of(const ggml_tensor& rope) {
  return static_cast<const std::int32_t*>(rope.src[1]->data);
}

int first_channel(const ggml_tensor& view, const HostedTensor& cache) {
  const auto offset =
      static_cast<std::size_t>(static_cast<std::byte*>(view.data) - cache.address());
  return static_cast<int>(offset / ggml_type_size(view.type) * ggml_blck_size(view.type));
}

// The host's ROPE for a batch of decoded rows, on the thread that asks for it.
class HostRope {
 public:
  HostRope(const ggml_tensor& node, const Work& work)
      : backend_(ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr),
                 ggml_backend_free),
        context_(ggml_init({1U << 16U, nullptr, true}), ggml_free) {
    if (!backend_) throw Error("the host has no CPU device");
    cpu_function<void(ggml_backend*, int)>(set_n_threads_name)(backend_.get(), 1);
    ggml_context* const context = context_.get();
    const std::int64_t n_heads = node.ne[1];
    rows_ = ggml_new_tensor_3d(context, GGML_TYPE_F32, work.cache->rows().head_dim(), n_heads,
                               max_edited_rows);
    shifts_ = ggml_new_tensor_1d(context, GGML_TYPE_I32, max_edited_rows);
    part_ = ggml_view_3d(context, rows_, node.ne[0], n_heads, max_edited_rows, rows_->nb[1],
                         rows_->nb[2], first_channel(node, *work.cache) * sizeof(float));
    turned_ = ggml_rope_ext_inplace(context, part_, shifts_, node.src[2], work.params[1],
                                    work.params[2], 0, 1, 1, 0, 1, 0, 0);
    std::ranges::copy(work.params, std::begin(turned_->op_params));
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
  std::unique_ptr<ggml_backend, decltype(&ggml_backend_free)> backend_;
  std::unique_ptr<ggml_context, decltype(&ggml_free)> context_;
  ggml_tensor *rows_, *shifts_, *part_, *turned_;
  ggml_cgraph* graph_;
};

void rope(const Work& work, const ggml_tensor& node, Worker worker) {
  const std::int32_t* const shifts = shifts_of(node);
  HostRope rope(node, work);
  edit_rows(
      work.cache->rows(), [&](std::int64_t row) { return shifts[row] != 0; },
      [&](DecodedRows decoded) { rope.turn(decoded, shifts); }, worker);
}

// `tensor`: f32 numbers of the channels that `view` shows.
HeadParts parts(const Work& work, const ggml_tensor& view, const ggml_tensor& tensor) {
  return {first_channel(view, *work.cache), static_cast<int>(view.ne[0]),
          static_cast<std::byte*>(tensor.data), tensor.nb[2], tensor.nb[1]};
}

void decode(const Work& work, const ggml_tensor& node, Worker worker) {
  decode_parts(work.cache->rows(), parts(work, *node.src[0], node), worker);
}

// Rows that the ROPE between here and there did not turn are left alone, if there was one.
void encode(const Work& work, const ggml_tensor& node, Worker worker) {
  const ggml_tensor* rope = node.src[0];
  while (rope != nullptr && rope->op != GGML_OP_ROPE) {
    rope = rope->op == GGML_OP_MUL_MAT ? rope->src[1] : rope->src[0];
  }
  encode_parts(
      work.cache->rows(), parts(work, node, *node.src[0]),
      [&](std::int64_t row) { return rope == nullptr || shifts_of(*rope)[row] != 0; }, worker);
}

bool is_f32_like(const ggml_tensor& tensor, const ggml_tensor& view) {
  return tensor.type == GGML_TYPE_F32 && tensor.nb[0] == sizeof(float) &&
         find_cache(tensor) == nullptr &&
         std::equal(std::begin(tensor.ne), std::end(tensor.ne), std::begin(view.ne));
}

}  // namespace

std::string plan_key_shift(const ggml_tensor& node, const ggml_tensor& view, Work& work) {
  const NominalRows& nominal = work.cache->nominal();
  const auto head_dim =
      static_cast<std::int64_t>(view.nb[1] / ggml_type_size(view.type)) * ggml_blck_size(view.type);
  const bool in_place = node.op == GGML_OP_ROPE;
  const bool understood = in_place
                              ? &view == &node && (node.op_params[2] & GGML_ROPE_TYPE_MROPE) == 0 &&
                                    node.src[1]->ne[0] == view.ne[2]
                              : is_f32_like(&view == &node ? *node.src[0] : node, view);
  if (!understood || view.ne[2] != nominal.cells.n_rows() || view.nb[2] != nominal.row_bytes ||
      view.ne[3] != 1 || head_dim * view.ne[1] != nominal.n_channels ||
      first_channel(view, *work.cache) + view.ne[0] > head_dim) {
    return "not a shift of all rows";
  }
  work.run = in_place ? rope : &view == &node ? encode : decode;
  return work.cache->bind_heads(head_dim, head_dim % host_rotation_step == 0);
}

}  // namespace kvsplit::plugin
