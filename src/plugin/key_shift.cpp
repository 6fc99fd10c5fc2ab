#include <vector>

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

// As the host's ROPE turns keys; lengths stay, also where YaRN would change them anew.
void rope(const Work& work, const ggml_tensor& node, Worker worker) {
  PackedTensor& keys = work.cache->rows();
  const auto* const shifts = static_cast<const std::int32_t*>(node.src[1]->data);
  const Rotation rotation = rotation_of(rope_parameters(node));
  const std::size_t first = first_channel(node, *work.cache) + rope_offset(node);
  const std::size_t n = 2 * rotation.angles.size();
  const auto turn_row = [&](std::int64_t row, std::span<float> values) {
    const Turn turn = turn_of(rotation, shifts[row]);
    for (std::size_t head = 0; head < values.size(); head += keys.head_dim()) {
      turn_head(rotation, turn, values.subspan(head + first, n));
    }
  };
  edit_rows(
      keys, [&](std::int64_t row) { return shifts[row]; }, turn_row, worker);
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
