// What happens to graphs: they come back as they were, what cannot be done fails, and what cannot
// be packed stays as the host knows it.
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "plugin/plugin.h"
#include "tests/plugin/host.h"

namespace kvsplit::test {
namespace {

class Graph : public testing::Test {
 protected:
  Graph() { use("K8V4"); }

  LayerShape shape_;
  Host host_ = Host::kvsplit();
  Step step_ = random_step(shape_, shape_.kv_size, 2, 1);
};

TEST_F(Graph, IsAsItWasAfterwards) {
  const LayerCache cache(host_, shape_);
  run(host_, cache, step_);
  const std::vector<ggml_op>& operations = host_.operations();
  EXPECT_EQ(std::ranges::count(operations, GGML_OP_SET_ROWS), 2);
  EXPECT_EQ(std::ranges::count(operations, GGML_OP_FLASH_ATTN_EXT), 1);
  EXPECT_EQ(std::ranges::count(operations, GGML_OP_CUSTOM), 0);
}

// The same graph, computed again and again with the same numbers, gives the same: parameters such
// as the scale are put back too.
TEST_F(Graph, IsComputedAgain) {
  const LayerCache cache(host_, shape_);
  Step step = step_;
  step.softcap = 3;
  const std::vector<float> first = run(host_, cache, step);
  const Context context = make_context();
  ggml_cgraph* const graph = ggml_new_graph(context.get());
  step.rows.clear();
  ggml_tensor* const node = attention(host_, context.get(), cache, step);
  ggml_build_forward_expand(graph, node);
  const Buffer buffer(ggml_backend_alloc_ctx_tensors_from_buft(context.get(), host_.buffer_type()),
                      ggml_backend_buffer_free);
  ggml_backend_tensor_set(node->src[0], step.q.data(), 0, ggml_nbytes(node->src[0]));
  for (int time = 0; time < 3; ++time) {
    ASSERT_EQ(ggml_backend_graph_compute(host_.backend(), graph), GGML_STATUS_SUCCESS);
    std::vector<float> result(first.size());
    ggml_backend_tensor_get(node, result.data(), 0, ggml_nbytes(node));
    EXPECT_EQ(result, first);
    EXPECT_EQ(node->op, GGML_OP_FLASH_ATTN_EXT);
  }
}

TEST_F(Graph, WithoutFlashAttentionFails) {
  const LayerCache cache(host_, shape_);
  run(host_, cache, step_);
  const LogCapture log;
  EXPECT_THROW(host_.compute([&](ggml_context* context, ggml_cgraph* /*graph*/) {
    ggml_tensor* const k = ggml_view_2d(context, cache.k(), 64, 32, cache.k()->nb[1], 0);
    return ggml_mul_mat(context, k, host_.input(context, random_numbers(64, 1), {64, 1}));
  }),
               std::runtime_error);
  EXPECT_EQ(host_.last_status(), GGML_STATUS_FAILED);
  EXPECT_EQ(log.count("MUL_MAT of cache_k_l0: packed caches need flash attention (-fa on)"), 1)
      << log.all();
  const std::vector<ggml_op>& operations = host_.operations();
  EXPECT_EQ(std::ranges::count(operations, GGML_OP_MUL_MAT), 1);
}

// Keys of an indexer, or of an attention that adds a bias to its scores.
TEST_F(Graph, WhatNoFlashAttentionReadsStaysInSixteenBits) {
  const auto scores = [&](Host& host) {
    const LayerCache cache(host, shape_);
    return host.compute([&](ggml_context* context, ggml_cgraph* graph) {
      ggml_tensor* const row = host.input(context, random_numbers(128, 1), {128, 1});
      ggml_build_forward_expand(
          graph, ggml_set_rows(context, cache.k(), row, host.input_rows(context, {5})));
      ggml_tensor* const k = ggml_view_2d(context, cache.k(), 64, 32, cache.k()->nb[1], 0);
      return ggml_mul_mat(context, k, host.input(context, random_numbers(64, 2), {64, 1}));
    });
  };
  const LogCapture log;
  Host stock = Host::cpu();
  EXPECT_EQ(scores(host_), scores(stock));
  EXPECT_EQ(log.count("cache_k_l0: not read by flash attention"), 1) << log.all();
}

// The values of an attention that is no flash attention are stored transposed, number by number.
TEST_F(Graph, TransposedValuesFail) {
  const LayerCache cache(host_, shape_);
  const LogCapture log;
  EXPECT_THROW(host_.compute([&](ggml_context* context, ggml_cgraph* /*graph*/) {
    ggml_tensor* const numbers = ggml_reshape_2d(context, cache.v(), 1, ggml_nelements(cache.v()));
    return ggml_set_rows(context, numbers, host_.input(context, {1, 2}, {1, 2}),
                         host_.input_rows(context, {5, 9}));
  }),
               std::runtime_error);
  EXPECT_EQ(log.count("(-fa on)"), 1) << log.all();
}

TEST_F(Graph, UnknownOperationsFailAndAreNamed) {
  const LayerCache cache(host_, shape_);
  run(host_, cache, step_);
  const LogCapture log;
  EXPECT_THROW(host_.compute([&](ggml_context* context, ggml_cgraph* /*graph*/) {
    return ggml_get_rows(context, cache.k(), host_.input_rows(context, {1, 2}, GGML_TYPE_I32));
  }),
               std::runtime_error);
  EXPECT_EQ(log.count("GET_ROWS of cache_k_l0"), 1) << log.all();
  EXPECT_NO_THROW(run(host_, cache, step_));  // and nothing of it is left
}

TEST_F(Graph, RowsBeyondTheEndFail) {
  const LayerCache cache(host_, shape_);
  Step step = step_;
  step.rows.back() = shape_.kv_size;
  EXPECT_THROW(run(host_, cache, step), std::runtime_error);
}

// Heads of 80 are no multiple of 32. With the host's own operations on f16 rows, results are its
// own.
TEST_F(Graph, OddHeadsStayInSixteenBits) {
  const LayerShape shape{80, 80, 2, 4, 64, 2};
  const Step step = random_step(shape, shape.kv_size, 3, 2);
  Host stock = Host::cpu();
  const LayerCache stock_cache(stock, shape);
  const LayerCache cache(host_, shape);
  const LogCapture log;
  const std::vector<float> expected = run(stock, stock_cache, step);
  EXPECT_EQ(run(host_, cache, step), expected);
  Step look = step;
  look.rows.clear();
  EXPECT_EQ(run(host_, cache, look), expected);
  EXPECT_EQ(log.count("cache_k_l0 and 1 more: head size 80 is not a multiple of 32"), 1)
      << log.all();
  // Saved and restored, copied and cleared it is a cache as the host knows it.
  EXPECT_EQ(saved(cache.k()), saved(stock_cache.k()));
  run(host_, cache, random_step(shape, shape.kv_size, 3, 3));
  restore(cache.k(), saved(stock_cache.k()));
  restore(cache.v(), saved(stock_cache.v()));
  EXPECT_EQ(run(host_, cache, look), expected);
  ggml_backend_tensor_copy(cache.k_stream(0), cache.k_stream(1));
  EXPECT_EQ(saved(cache.k_stream(1)), saved(stock_cache.k_stream(0)));
  ggml_backend_buffer_clear(cache.buffer(), 0);
  const std::vector<std::byte> cleared = saved(cache.k());
  EXPECT_TRUE(std::ranges::all_of(cleared, [](std::byte b) { return b == std::byte{0}; }));
}

// As in multi-head latent attention: values are a part of the keys.
TEST_F(Graph, KeysAndValuesInOneTensorStayInSixteenBits) {
  const auto attend_to_itself = [](Host& host, const LayerCache& cache, const Step& step) {
    return host.compute([&](ggml_context* context, ggml_cgraph* graph) {
      ggml_build_forward_expand(
          graph, ggml_set_rows(context, cache.k(), host.input(context, step.k, {128, 64}),
                               host.input_rows(context, step.rows)));
      ggml_tensor* const q = host.input(context, step.q, {128, 2, 4, 1});
      ggml_tensor* const k =
          ggml_view_3d(context, cache.k(), 128, 64, 1, cache.k()->nb[1], cache.k()->nb[2], 0);
      ggml_tensor* const v =
          ggml_view_3d(context, cache.k(), 96, 64, 1, cache.k()->nb[1], cache.k()->nb[2], 0);
      return ggml_flash_attn_ext(context, q, k, v, nullptr, 0.1F, 0, 0);
    });
  };
  const LayerShape shape{128, 128, 1, 4, 64, 1};
  const Step step = random_step(shape, 64, 2, 4);
  Host stock = Host::cpu();
  const LayerCache stock_cache(stock, shape);
  const LayerCache cache(host_, shape);
  const LogCapture log;
  EXPECT_EQ(attend_to_itself(host_, cache, step), attend_to_itself(stock, stock_cache, step));
  EXPECT_EQ(log.count("keys and values are one tensor"), 1) << log.all();
  // The host's tensors are where they were, and what it saves is what is there.
  EXPECT_EQ(cache.k()->data, ggml_backend_buffer_get_base(cache.buffer()));
  EXPECT_EQ(saved(cache.k()), saved(stock_cache.k()));
}

TEST_F(Graph, RowsOfNoWholeGroupsAreLeftAloneFromTheStart) {
  const LayerShape shape{48, 48, 1, 2, 64, 1};
  const Step step = random_step(shape, shape.kv_size, 2, 5);
  Host stock = Host::cpu();
  const LayerCache stock_cache(stock, shape);
  const LayerCache cache(host_, shape);
  EXPECT_EQ(ggml_backend_buffer_get_size(cache.buffer()),
            ggml_backend_buffer_get_size(stock_cache.buffer()));
  const LogCapture log;
  EXPECT_EQ(run(host_, cache, step), run(stock, stock_cache, step));
  EXPECT_EQ(log.count("0 tensors packed, 2 not"), 1) << log.all();
  EXPECT_EQ(log.count("cache_k_l0 and 1 more: rows of 48 numbers"), 1) << log.all();
}

TEST_F(Graph, FirstUseIsToldOnceWithItsBytes) {
  use("K8V4:sinks=0:window=0");
  plugin::reset_allocated();
  const LayerCache cache(host_, {64, 64, 2, 4, 1024, 1});
  const LogCapture log;
  Step step = random_step({64, 64, 2, 4, 1024, 1}, 64, 1, 6);
  run(host_, cache, step);
  run(host_, cache, step);
  // 1024 rows of 128 keys at 8.5 bits and values at 4.5.
  EXPECT_EQ(
      log.count(
          "K8V4:sinks=0:window=0 cache: 2 tensors packed, 0.20 MiB instead of 0.50 MiB at FP16"),
      1)
      << log.all();
  const CacheSum allocated = plugin::allocated();
  EXPECT_EQ(allocated.k_numbers, 1024U * 128);
  EXPECT_EQ(allocated.k_bytes * 8, allocated.k_numbers * 17 / 2);
  EXPECT_EQ(allocated.v_bytes * 8, allocated.v_numbers * 9 / 2);
  EXPECT_EQ(allocated.n_packed, 2U);
  EXPECT_EQ(allocated.n_unpacked, 0U);
  EXPECT_EQ(ggml_backend_buffer_get_size(cache.buffer()), allocated.bytes());
}

TEST_F(Graph, NominalTypesChooseTheBits) {
  // set_precision() of the fixture stands for a user's choice; that limits, types choose where
  // there is none, so what is looked at here is the limit.
  use("K16V16");
  const LayerCache cache(host_, shape_, GGML_TYPE_Q5_1, GGML_TYPE_Q4_0);
  const LogCapture log;
  run(host_, cache, step_);
  EXPECT_EQ(log.count("K5V4:sinks=0:window=0 cache"), 1) << log.all();
  EXPECT_EQ(log.count("16 bits do not fit into rows of type q5_1, 5 taken"), 1) << log.all();
  EXPECT_EQ(ggml_backend_buffer_get_size(cache.buffer()),
            ggml_nbytes(cache.k()) + ggml_nbytes(cache.v()));
}

TEST_F(Graph, TwoCachesAndBackendsAreIndependent) {
  use("K8V4");
  const LayerCache first(host_, shape_);
  const std::vector<float> expected = run(host_, first, step_);
  use("K4V8");
  Host other = Host::kvsplit(3);
  const LayerCache second(other, shape_);
  const Step other_step = random_step(shape_, shape_.kv_size, 4, 8);
  const std::vector<float> other_expected = run(other, second, other_step);
  Step look = step_;
  look.rows.clear();
  EXPECT_EQ(run(host_, first, look), expected);
  look = other_step;
  look.rows.clear();
  EXPECT_EQ(run(other, second, look), other_expected);
}

}  // namespace
}  // namespace kvsplit::test
