// Rotations as we compute them, beside the host's own operation.
#include <ggml-backend.h>
#include <ggml.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "codec/rotation.h"
#include "plugin/host_version.h"

namespace kvsplit::plugin {
namespace {

struct Rope {
  const char* name;
  int mode = GGML_ROPE_TYPE_NORMAL;
  int n_dims = 64;
  float freq_base = 10000, freq_scale = 1, ext_factor = 0;
  bool factors = false;
};

/// A head of ones at each position after the host's ROPE, and after ours.
void expect_same(const Rope& rope) {
  constexpr int head_dim = 64, n_positions = 5;
  constexpr std::int32_t positions[n_positions] = {0, 1, 100, 4000, 20000};
  const std::unique_ptr<ggml_context, decltype(&ggml_free)> context(
      ggml_init({1U << 20U, nullptr, false}), ggml_free);
  ggml_tensor* const x = ggml_new_tensor_3d(context.get(), GGML_TYPE_F32, head_dim, 1, n_positions);
  ggml_tensor* const at = ggml_new_tensor_1d(context.get(), GGML_TYPE_I32, n_positions);
  ggml_tensor* const factors =
      rope.factors ? ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, rope.n_dims / 2) : nullptr;
  std::fill_n(static_cast<float*>(x->data), head_dim * n_positions, 1.0F);
  std::copy_n(positions, n_positions, static_cast<std::int32_t*>(at->data));
  for (int i = 0; factors != nullptr && i < rope.n_dims / 2; ++i) {
    static_cast<float*>(factors->data)[i] = 1.0F + static_cast<float>(i) / 8;
  }
  ggml_tensor* const node =
      ggml_rope_ext(context.get(), x, at, factors, rope.n_dims, rope.mode, 4096, rope.freq_base,
                    rope.freq_scale, rope.ext_factor, 1, 32, 1);
  ggml_cgraph* const graph = ggml_new_graph(context.get());
  ggml_build_forward_expand(graph, node);
  const std::unique_ptr<ggml_backend, decltype(&ggml_backend_free)> cpu(
      ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr), ggml_backend_free);
  ASSERT_EQ(ggml_backend_graph_compute(cpu.get(), graph), GGML_STATUS_SUCCESS);

  const Rotation rotation = rotation_of(rope_parameters(*node));
  for (int i = 0; i < n_positions; ++i) {
    std::vector<float> ours(head_dim, 1.0F);
    const Turn turn = turn_of(rotation, positions[i]);
    turn_head(rotation, turn, ours);
    const auto* const theirs = static_cast<const float*>(node->data) + i * head_dim;
    // YaRN makes vectors longer, which is no turn; position 0 shows by how much.
    const float length = *static_cast<const float*>(node->data);
    for (int c = 0; c < head_dim; ++c) {
      const float expected = c < rope.n_dims ? theirs[c] / length : theirs[c];
      // The host multiplies its angles up from plane to plane.
      EXPECT_NEAR(ours[c], expected, 1e-4 + 3e-7 * positions[i]) << c << " at " << positions[i];
    }
  }
}

TEST(Rope, IsTheHostsOwn) {
  for (const Rope& rope : {Rope{"neighbours"}, Rope{"halves", GGML_ROPE_TYPE_NEOX},
                           Rope{"part of the head", GGML_ROPE_TYPE_NEOX, 32},
                           Rope{"another base", GGML_ROPE_TYPE_NEOX, 64, 1e6},
                           Rope{"stretched", GGML_ROPE_TYPE_NORMAL, 64, 10000, 0.25F},
                           Rope{"YaRN", GGML_ROPE_TYPE_NEOX, 64, 10000, 0.25F, 1},
                           Rope{"factors", GGML_ROPE_TYPE_NORMAL, 64, 500000, 1, 0, true}}) {
    SCOPED_TRACE(rope.name);
    expect_same(rope);
  }
}

}  // namespace
}  // namespace kvsplit::plugin
