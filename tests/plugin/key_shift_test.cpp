// Context shift: cached keys are rotated to earlier positions.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/plugin/host.h"

namespace kvsplit::test {
namespace {

class KeyShift : public testing::Test {
 protected:
  ~KeyShift() override { use("K8V4"); }

  LayerShape shape_{64, 64, 2, 4, 128, 2};
  Step step_ = random_step(shape_, shape_.kv_size, 2, 1);

  /// Rows 0, 3, 6 … are turned by 17 positions, row 1, 4, … by -5, the others stay.
  std::vector<std::int64_t> shifts() const {
    std::vector<std::int64_t> shifts;
    for (std::int64_t row = 0; row < shape_.kv_size * shape_.n_streams; ++row) {
      shifts.push_back(row % 3 == 0 ? 17 : row % 3 == 1 ? -5 : 0);
    }
    return shifts;
  }

  /// Of n_rot channels of each head from `first` on, as llama.cpp does it: in place for f16, by way
  /// of f32 where it is quantised.
  void shift(Host& host, const LayerCache& cache, int n_rot, int first, int mode,
             bool with_factors = false) const {
    host.compute([&](ggml_context* context, ggml_cgraph* /*graph*/) {
      ggml_tensor* const k = cache.k();
      ggml_tensor* const view = ggml_view_3d(
          context, k, n_rot, shape_.n_kv_heads, shape_.kv_size * shape_.n_streams,
          ggml_row_size(k->type, shape_.head_dim_k), k->nb[1], ggml_row_size(k->type, first));
      ggml_tensor* const by = host.input_rows(context, shifts(), GGML_TYPE_I32);
      ggml_tensor* factors = nullptr;
      if (with_factors) {
        std::vector<float> numbers(static_cast<std::size_t>(n_rot / 2), 1.5F);
        numbers[1] = 4;
        factors = host.input(context, numbers, {n_rot / 2});
      }
      if (!ggml_is_quantized(k->type)) {
        return ggml_rope_ext_inplace(context, view, by, factors, n_rot, mode, 8192, 10000, 1, 0, 1,
                                     32, 1);
      }
      ggml_tensor* numbers = ggml_cast(context, view, GGML_TYPE_F32);
      numbers =
          ggml_rope_ext(context, numbers, by, factors, n_rot, mode, 8192, 10000, 1, 0, 1, 32, 1);
      // As rotations by matrices do, this changes all rows a little.
      return ggml_cpy(context, ggml_scale(context, numbers, 1.004F), view);
    });
  }

  Step look() const {
    Step step = step_;
    step.rows.clear();
    return step;
  }

  /// Of attention after a shift, here and on the CPU device; `before`: without any shift there.
  struct Errors {
    double after, before;
  };
  Errors errors(const std::string& precision, ggml_type type, int n_rot, int first, int mode,
                bool with_factors = false) const {
    use(precision);
    Host packed = Host::kvsplit(3);
    Host stock = Host::cpu();
    const LayerCache packed_cache(packed, shape_, type, type);
    const LayerCache stock_cache(stock, shape_);
    run(packed, packed_cache, step_);
    const std::vector<float> unshifted = run(stock, stock_cache, step_);
    shift(packed, packed_cache, n_rot, first, mode, with_factors);
    shift(stock, stock_cache, n_rot, first, mode, with_factors);
    const std::vector<float> expected = run(stock, stock_cache, look());
    return {relative_error(run(packed, packed_cache, look()), expected),
            relative_error(unshifted, expected)};
  }
};

TEST_F(KeyShift, TurnsKeysAsTheHostDoes) {
  for (const int mode : {GGML_ROPE_TYPE_NORMAL, GGML_ROPE_TYPE_NEOX}) {
    for (const auto& [n_rot, first] : {std::pair(64, 0), std::pair(32, 0), std::pair(16, 48)}) {
      const Errors halves = errors("FP16", GGML_TYPE_F16, n_rot, first, mode);
      EXPECT_LT(halves.after, 0.01) << mode << " " << n_rot;
      EXPECT_GT(halves.before, 0.1) << mode << " " << n_rot;  // a shift is no small thing
      const Errors packed = errors("K8V8", GGML_TYPE_F16, n_rot, first, mode);
      EXPECT_LT(packed.after, 0.03) << mode << " " << n_rot;
    }
  }
}

TEST_F(KeyShift, KnowsFrequencyFactors) {
  const Errors halves = errors("FP16", GGML_TYPE_F16, 64, 0, GGML_ROPE_TYPE_NEOX, true);
  EXPECT_LT(halves.after, 0.01);
}

TEST_F(KeyShift, OfQuantisedTypesGoesByWayOfF32) {
  for (const auto& [n_rot, first] : {std::pair(64, 0), std::pair(32, 32)}) {
    const Errors packed = errors("K8V8", GGML_TYPE_Q8_0, n_rot, first, GGML_ROPE_TYPE_NEOX);
    EXPECT_LT(packed.after, 0.03) << n_rot;
    EXPECT_GT(packed.before, 0.1) << n_rot;
  }
}

TEST_F(KeyShift, LeavesOtherRowsBitByBit) {
  for (const ggml_type type : {GGML_TYPE_F16, GGML_TYPE_Q8_0}) {
    use("K5V4");
    Host host = Host::kvsplit();
    const LayerCache cache(host, shape_, type, type);
    run(host, cache, step_);
    const std::vector<std::byte> before = saved(cache.k());
    shift(host, cache, 64, 0, GGML_ROPE_TYPE_NEOX);
    const std::vector<std::byte> after = saved(cache.k());
    const std::size_t row_bytes = cache.k()->nb[1];
    for (std::size_t row = 0; row * row_bytes < before.size(); ++row) {
      const auto at = static_cast<std::ptrdiff_t>(row * row_bytes);
      const bool same = std::equal(before.begin() + at,
                                   before.begin() + at + static_cast<std::ptrdiff_t>(row_bytes),
                                   after.begin() + at);
      EXPECT_EQ(same, row % 3 == 2) << row;
    }
  }
}

// A restored session may be shifted before anything is asked about it.
TEST_F(KeyShift, MayComeBeforeTheFirstAttention) {
  use("K8V8");
  Host host = Host::kvsplit();
  const LayerCache first(host, shape_);
  run(host, first, step_);
  const LayerCache second(host, shape_);
  restore(second.k(), saved(first.k()));
  restore(second.v(), saved(first.v()));
  shift(host, first, 64, 0, GGML_ROPE_TYPE_NORMAL);
  shift(host, second, 64, 0, GGML_ROPE_TYPE_NORMAL);
  EXPECT_EQ(run(host, second, look()), run(host, first, look()));
}

}  // namespace
}  // namespace kvsplit::test
