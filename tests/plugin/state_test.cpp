// Sessions and slots: rows leave and come back as bytes of nominal rows.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/plugin/host.h"

namespace kvsplit::test {
namespace {

constexpr float hidden = -std::numeric_limits<float>::infinity();

class State : public testing::Test {
 protected:
  ~State() override { use("K8V4"); }

  LayerShape shape_{64, 64, 3, 9, 64, 2};
  Host host_ = Host::kvsplit();
  Step step_ = random_step(shape_, shape_.kv_size, 2, 1);

  Step look() const {
    Step step = step_;
    step.rows.clear();
    return step;
  }
};

TEST_F(State, ComesBackBitByBit) {
  for (const char* precision : {"FP16", "K8V4", "K6V5", "K3V2", "K16V4", "K4V4:rotate=0"}) {
    for (const ggml_type type : {GGML_TYPE_F16, GGML_TYPE_F32, GGML_TYPE_BF16}) {
      // Keys of bf16 stay as they are, and values with them; that is not known before a graph is.
      if (type == GGML_TYPE_BF16 && precision == std::string("K16V4")) continue;
      use(precision);
      const LayerCache first(host_, shape_, type, type);
      const std::vector<float> expected = run(host_, first, step_);
      const LayerCache second(host_, shape_, type, type);
      restore(second.k(), saved(first.k()));
      restore(second.v(), saved(first.v()));
      EXPECT_EQ(run(host_, second, look()), expected) << precision << ggml_type_name(type);
      EXPECT_EQ(saved(second.k()), saved(first.k())) << precision << ggml_type_name(type);
    }
  }
}

TEST_F(State, OfQuantisedNominalTypesComesBackBitByBit) {
  const std::pair<ggml_type, ggml_type> types[] = {{GGML_TYPE_Q8_0, GGML_TYPE_Q4_0},
                                                   {GGML_TYPE_Q5_1, GGML_TYPE_Q5_0},
                                                   {GGML_TYPE_Q4_1, GGML_TYPE_IQ4_NL}};
  use("K8V8");  // more than those types have: they decide
  for (const auto& [k_type, v_type] : types) {
    const LayerCache first(host_, shape_, k_type, v_type);
    const std::vector<float> expected = run(host_, first, step_);
    const LayerCache second(host_, shape_, k_type, v_type);
    restore(second.k(), saved(first.k()));
    restore(second.v(), saved(first.v()));
    EXPECT_EQ(run(host_, second, look()), expected) << ggml_type_name(k_type);
  }
}

// Some cells of one stream through its view, as a slot is saved.
TEST_F(State, PiecesOfAStreamComeBack) {
  use("K8V4");
  const LayerCache first(host_, shape_);
  const LayerCache second(host_, shape_);
  const std::vector<float> expected = run(host_, first, step_);
  run(host_, second, random_step(shape_, shape_.kv_size, 2, 5));
  for (int stream = 0; stream < shape_.n_streams; ++stream) {
    for (const auto& [from, to] : {std::pair(first.k_stream(stream), second.k_stream(stream)),
                                   std::pair(first.v_stream(stream), second.v_stream(stream))}) {
      const std::size_t row = from->nb[1];
      std::vector<std::byte> rows(row * 24);
      for (std::size_t cell = 0; cell < 64; cell += 16) {
        const std::size_t n = row * std::min<std::size_t>(24, 64 - cell);
        ggml_backend_tensor_get(from, rows.data(), cell * row, n);
        ggml_backend_tensor_set(to, rows.data(), cell * row, n);
      }
    }
  }
  EXPECT_EQ(run(host_, second, look()), expected);
}

TEST_F(State, OfAnotherPrecisionIsRefusedAndNotLookedAt) {
  use("K8V8");
  const LayerCache other(host_, shape_);
  run(host_, other, step_);
  use("K8V4");
  const LayerCache cache(host_, shape_);
  run(host_, cache, step_);
  const LogCapture log;
  restore(cache.k(), saved(other.k()));
  restore(cache.v(), saved(other.v()));
  EXPECT_EQ(log.count("cache_k_l0: session refused, of another cache precision"), 1) << log.all();
  EXPECT_THROW(run(host_, cache, look()), std::runtime_error);
  EXPECT_EQ(host_.last_status(), GGML_STATUS_FAILED);
  EXPECT_EQ(log.count("refused session, of another cache precision"), 1) << log.all();
}

// Before a first graph it is not known whether the tensor can be packed: rows of a session that is
// not ours may be nominal ones, so it is not complained of before they are looked at.
TEST_F(State, OfAnotherPrecisionIsNotLookedAtBeforeTheFirstGraphEither) {
  use("K8V8");
  const LayerCache other(host_, shape_);
  run(host_, other, step_);
  use("K8V4");
  const LayerCache cache(host_, shape_);
  const LogCapture log;
  restore(cache.v(), saved(other.v()));
  EXPECT_EQ(log.count("session"), 0) << log.all();
  EXPECT_THROW(run(host_, cache, look()), std::runtime_error);
  EXPECT_EQ(log.count("refused session, of another cache precision"), 1) << log.all();
}

TEST_F(State, OfWhatCannotBePackedIsRestoredBeforeTheFirstGraph) {
  const LayerShape shape{64, 80, 2, 4, 64, 2};  // keys could be packed, values cannot
  const Step step = random_step(shape, shape.kv_size, 2, 3);
  for (const char* precision : {"K8V4", "FP16"}) {
    use(precision);
    const LayerCache first(host_, shape);
    const std::vector<float> expected = run(host_, first, step);
    const LayerCache second(host_, shape);
    restore(second.k(), saved(first.k()));
    restore(second.v(), saved(first.v()));
    Step only_look = step;
    only_look.rows.clear();
    EXPECT_EQ(run(host_, second, only_look), expected) << precision;
    EXPECT_EQ(saved(second.v()), saved(first.v())) << precision;
  }
}

TEST_F(State, RefusedRowsAreForgottenWhenHiddenWrittenOrCleared) {
  use("K8V4");
  const LayerCache cache(host_, shape_);
  run(host_, cache, step_);
  std::vector<std::byte> foreign(cache.v()->nb[1], std::byte{0x42});
  ggml_backend_tensor_set(cache.v(), foreign.data(), 3 * cache.v()->nb[1], foreign.size());
  EXPECT_THROW(run(host_, cache, look()), std::runtime_error);

  Step without = look();
  without.mask.assign(static_cast<std::size_t>(2 * 2 * 64), 0);
  for (std::size_t query = 0; query < 2; ++query) without.mask[query * 64 + 3] = hidden;
  EXPECT_NO_THROW(run(host_, cache, without));
  without.mask[3] = 0;
  EXPECT_THROW(run(host_, cache, without), std::runtime_error);

  EXPECT_NO_THROW(run(host_, cache, step_));  // writes all rows
  ggml_backend_tensor_set(cache.v(), foreign.data(), 0, foreign.size());
  EXPECT_THROW(run(host_, cache, look()), std::runtime_error);
  ggml_backend_buffer_clear(cache.buffer(), 0);
  EXPECT_NO_THROW(run(host_, cache, look()));
}

TEST_F(State, SixteenBitsAreExchangedWithTheHostsOwnF16) {
  use("FP16");
  Host stock = Host::cpu();
  const LayerCache theirs(stock, shape_);
  run(stock, theirs, step_);
  const LayerCache ours(host_, shape_);
  run(host_, ours, step_);
  EXPECT_EQ(saved(ours.k()), saved(theirs.k()));
  const LayerCache restored(host_, shape_);
  restore(restored.k(), saved(theirs.k()));
  restore(restored.v(), saved(theirs.v()));
  EXPECT_EQ(run(host_, restored, look()), run(host_, ours, look()));
}

TEST_F(State, OfTheHostsOwnTypesIsRefused) {
  Host stock = Host::cpu();
  use("K8V4");
  for (const ggml_type type : {GGML_TYPE_F16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_0}) {
    const LayerCache theirs(stock, shape_, type, type);
    run(stock, theirs, step_);
    const LayerCache ours(host_, shape_, type, type);
    restore(ours.k(), saved(theirs.k()));
    EXPECT_THROW(run(host_, ours, look()), std::runtime_error) << ggml_type_name(type);
  }
  // And packed rows of another precision by a cache of sixteen bits.
  const LayerCache packed(host_, shape_);
  run(host_, packed, step_);
  use("FP16");
  const LayerCache halves(host_, shape_);
  restore(halves.k(), saved(packed.k()));
  EXPECT_THROW(run(host_, halves, look()), std::runtime_error);
}

TEST_F(State, PiecesOfRowsAreRefused) {
  use("K8V4");
  const LayerCache cache(host_, shape_);
  run(host_, cache, step_);
  const std::vector<std::byte> bytes = saved(cache.k());
  ggml_backend_tensor_set(cache.k(), bytes.data(), 0, cache.k()->nb[1] / 2);
  EXPECT_THROW(run(host_, cache, look()), std::runtime_error);
}

// llama.cpp clears cells by storing a mebibyte of zeros at a time, wherever rows begin.
TEST_F(State, ZerosMayEndWithinARow) {
  use("K8V4");
  const LayerCache cache(host_, shape_);
  run(host_, cache, step_);
  const std::vector<std::byte> zeros(1000);
  for (std::size_t at = 0; at < ggml_nbytes(cache.v()); at += zeros.size()) {
    ggml_backend_tensor_set(cache.v(), zeros.data(), at,
                            std::min(zeros.size(), ggml_nbytes(cache.v()) - at));
  }
  const std::vector<float> result = run(host_, cache, look());
  // Zero bytes are rows next to zero.
  EXPECT_TRUE(std::ranges::all_of(result, [](float x) { return std::fabs(x) < 1e-3F; }));
}

// A session is restored before any graph shows the head size, then it turns out that the host does
// not rotate heads of 96.
TEST_F(State, IsRestoredBeforeTheFirstGraph) {
  use("K8V8");
  for (const int head_dim : {64, 96}) {
    const LayerShape shape{head_dim, head_dim, 2, 4, 64, 1};
    const Step step = random_step(shape, shape.kv_size, 2, 3);
    const LayerCache first(host_, shape, GGML_TYPE_Q8_0, GGML_TYPE_Q8_0);
    const std::vector<float> expected = run(host_, first, step);
    const LayerCache second(host_, shape, GGML_TYPE_Q8_0, GGML_TYPE_Q8_0);
    restore(second.k(), saved(first.k()));
    restore(second.v(), saved(first.v()));
    Step only_look = step;
    only_look.rows.clear();
    EXPECT_EQ(run(host_, second, only_look), expected) << head_dim;
  }
}

TEST_F(State, StreamsAreCopied) {
  for (const char* precision : {"FP16", "K8V4"}) {
    use(precision);
    const LayerCache cache(host_, shape_);
    run(host_, cache, step_);
    ggml_backend_tensor_copy(cache.k_stream(0), cache.k_stream(1));
    ggml_backend_tensor_copy(cache.v_stream(0), cache.v_stream(1));
    EXPECT_EQ(saved(cache.k_stream(1)), saved(cache.k_stream(0)));
    Step twice = look();  // the same queries in both streams
    std::copy_n(twice.q.begin(), twice.q.size() / 2,
                twice.q.begin() + static_cast<std::ptrdiff_t>(twice.q.size() / 2));
    const std::vector<float> result = run(host_, cache, twice);
    EXPECT_TRUE(std::equal(result.begin(),
                           result.begin() + static_cast<std::ptrdiff_t>(result.size() / 2),
                           result.begin() + static_cast<std::ptrdiff_t>(result.size() / 2)));
  }
}

// As llama.cpp keeps states on the device: tensors of the same buffer type that are no caches.
TEST_F(State, IsKeptOnTheDevice) {
  use("K8V4:sinks=0:window=0");
  const LayerCache cache(host_, shape_);
  const std::vector<float> expected = run(host_, cache, step_);
  const Context context = make_context();
  const std::int64_t n = 10 * cache.k()->ne[0];
  ggml_tensor* const part = ggml_view_1d(context.get(), cache.k(), n, 5 * cache.k()->nb[1]);
  ggml_tensor* const copy = ggml_new_tensor_1d(context.get(), GGML_TYPE_F16, n);
  const Buffer buffer(ggml_backend_alloc_ctx_tensors_from_buft(context.get(), host_.buffer_type()),
                      ggml_backend_buffer_free);
  ggml_backend_tensor_copy(part, copy);
  run(host_, cache, random_step(shape_, shape_.kv_size, 2, 9));
  EXPECT_NE(saved(part), saved(copy));
  ggml_backend_tensor_copy(copy, part);
  EXPECT_EQ(saved(part), saved(copy));
  // Through another device's memory as well.
  Step rest = step_;
  run(host_, cache, rest);
  const Context elsewhere = make_context();
  ggml_tensor* const host_copy = ggml_new_tensor_1d(elsewhere.get(), GGML_TYPE_F16, n);
  const Buffer host_buffer(
      ggml_backend_alloc_ctx_tensors_from_buft(elsewhere.get(), Host::cpu().buffer_type()),
      ggml_backend_buffer_free);
  ggml_backend_tensor_copy(part, host_copy);
  ggml_backend_tensor_memset(cache.k(), 0, 5 * cache.k()->nb[1], ggml_nbytes(part));
  ggml_backend_tensor_copy(host_copy, part);
  EXPECT_EQ(run(host_, cache, look()), expected);
}

}  // namespace
}  // namespace kvsplit::test
