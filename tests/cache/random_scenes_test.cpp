#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "cache/attention.h"
#include "support/attention_scene.h"

// Write, attend, save and restore over random shapes: whatever a host may ask for at once. The seed
// is fixed; a failure names its round.
namespace kvsplit {
namespace {

using test::OwnedTensor;
using test::Scene;
using test::SceneShape;

constexpr int n_rounds = 120;
constexpr std::int64_t most_products = 4'000'000;  // of the oracle, per round

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  int between(int first, int last) {
    return first + static_cast<int>(engine_() % (last - first + 1));
  }
  bool once_in(int n) { return between(1, n) == 1; }
  template <typename T>
  T one_of(std::initializer_list<T> choices) {
    return choices.begin()[between(0, static_cast<int>(choices.size()) - 1)];
  }

 private:
  std::mt19937 engine_;
};

int any_width(Random& random) { return random.one_of({1, 2, 3, 4, 5, 6, 7, 8, 16}); }

/// Uniform or, as often, of groups of any widths.
RowFormat any_format(Random& random, int n_heads, int head_dim) {
  const auto transform = random.one_of({TransformKind::identity, TransformKind::hadamard});
  if (random.once_in(2)) return uniform_format(n_heads * head_dim, any_width(random), transform);
  RowFormat format = uniform_format(n_heads * head_dim, 8, transform);
  for (int& bits : format.group_bits) bits = any_width(random);
  return format;
}

SceneShape any_shape(Random& random) {
  SceneShape shape;
  shape.head_dim_k = 32 * random.between(1, 8);
  shape.head_dim_v = random.once_in(2) ? shape.head_dim_k : 32 * random.between(1, 8);
  shape.n_kv_heads = random.between(1, 3);
  shape.group_size = random.one_of({1, 2, 3, 4, 5, 7, 8, 16});
  shape.n_streams = random.one_of({1, 1, 2, 3});
  shape.n_tokens = random.once_in(2) ? random.between(1, 4) : random.between(5, 130);
  const std::int64_t per_cell = std::int64_t{1} * shape.n_heads() * shape.n_streams *
                                shape.n_tokens * (shape.head_dim_k + shape.head_dim_v);
  const auto most = static_cast<int>(std::clamp<std::int64_t>(most_products / per_cell, 20, 600));
  shape.n_kv = random.between(1, most);
  shape.unseen_cells = random.between(0, 20);
  shape.k_format = any_format(random, shape.n_kv_heads, shape.head_dim_k);
  shape.v_format = any_format(random, shape.n_kv_heads, shape.head_dim_v);
  return shape;
}

/// What a scene of test::Scene points to besides.
struct Extras {
  std::vector<float> sinks;
  std::vector<float> apart;      // queries with gaps between them
  std::vector<Half> head_masks;  // one mask per head
};

// llama.cpp's queries lie [token][head] in memory, others may have gaps.
void lay_queries_out_otherwise(Random& random, Scene& scene, Extras& extras) {
  const SceneShape& s = scene.shape;
  const std::size_t dim = static_cast<std::size_t>(s.head_dim_k);
  const std::size_t head_stride = dim + random.one_of({0, 3});
  const std::size_t token_stride = head_stride * s.n_heads() + random.one_of({0, 5});
  const std::size_t stream_stride = token_stride * s.n_tokens;
  extras.apart.assign(stream_stride * s.n_streams, NAN);
  const float* from = scene.q.data();
  for (int stream = 0; stream < s.n_streams; ++stream) {
    for (int head = 0; head < s.n_heads(); ++head) {
      for (int token = 0; token < s.n_tokens; ++token, from += dim) {
        std::copy_n(from, dim,
                    extras.apart.data() + stream * stream_stride + head * head_stride +
                        token * token_stride);
      }
    }
  }
  scene.call.q = extras.apart.data();
  scene.call.q_strides.head = head_stride * sizeof(float);
  scene.call.q_strides.token = token_stride * sizeof(float);
  scene.call.q_strides.stream = stream_stride * sizeof(float);
}

void hide_cells_at_random(Random& random, Scene& scene) {
  for (Half& m : scene.mask) {
    if (random.once_in(3)) m = half_minus_infinity;
  }
  const SceneShape& s = scene.shape;
  for (int stream = 0; stream < s.n_streams; ++stream) {
    for (int token = 0; token < s.n_tokens; ++token) {
      if (!random.once_in(6)) continue;
      for (std::int64_t cell = 0; cell < s.n_kv; ++cell) {
        scene.mask_at(stream, token, cell) = half_minus_infinity;  // this token sees nothing
      }
    }
  }
}

void add_biases(Random& random, Scene& scene) {
  scene.call.max_bias = random.one_of({4.0F, 8.0F});
  for (Half& m : scene.mask) {
    if (m != half_minus_infinity)
      m = float_to_half(-static_cast<float>(random.between(0, 300)) / 8);
  }
}

// A mask of its own for each head; the host has one for all.
void give_every_head_its_mask(Random& random, Scene& scene, Extras& extras) {
  const SceneShape& s = scene.shape;
  const std::size_t n = static_cast<std::size_t>(s.n_tokens) * s.n_kv;
  for (int stream = 0; stream < s.n_streams; ++stream) {
    for (int head = 0; head < s.n_heads(); ++head) {
      for (std::size_t i = 0; i < n; ++i) {
        const Half shared = scene.mask[stream * n + i];
        extras.head_masks.push_back(random.once_in(5) ? half_minus_infinity : shared);
      }
    }
  }
  scene.call.mask = extras.head_masks.data();
  scene.call.mask_heads = s.n_heads();
  scene.call.mask_strides.stream = scene.call.mask_strides.head * s.n_heads();
}

void choose_mask(Random& random, Scene& scene, Extras& extras) {
  if (random.once_in(5)) {
    scene.call.mask = nullptr;
    return;
  }
  if (random.once_in(2)) {
    scene.make_causal();
  } else {
    hide_cells_at_random(random, scene);
  }
  if (random.once_in(4)) add_biases(random, scene);
  if (random.once_in(6)) {
    give_every_head_its_mask(random, scene, extras);
  } else if (random.once_in(4)) {
    scene.call.mask_streams = 1;  // all streams look at the first one's
  }
}

void choose_extras(Random& random, Scene& scene, Extras& extras) {
  if (random.once_in(2)) lay_queries_out_otherwise(random, scene, extras);
  choose_mask(random, scene, extras);
  if (random.once_in(4)) scene.call.softcap = random.one_of({2.0F, 50.0F});
  if (random.once_in(4)) {
    extras.sinks = test::random_numbers(scene.call.n_heads, 99);
    scene.call.sinks = extras.sinks.data();
  }
  if (scene.shape.n_streams > 1 && random.once_in(3)) {
    scene.call.first_stream = 1;
    scene.call.n_streams = scene.shape.n_streams - 1;
    scene.out.resize(scene.out.size() / scene.shape.n_streams * scene.call.n_streams);
    scene.call.out = scene.out.data();
  }
}

/// The rows of a tensor, saved and restored into one that does not know its heads yet.
class Restored {
 public:
  explicit Restored(OwnedTensor& saved) : tensor_(saved->format(), saved->side(), saved->cells()) {
    std::vector<std::byte> raw(saved->raw_row_bytes());
    for (std::int64_t row = 0; row < saved->cells().n_rows(); ++row) {
      saved->read_raw(row, raw);
      tensor_->write_raw(row, raw);
    }
    tensor_->bind_heads(saved->head_dim());
  }
  PackedTensor& operator*() { return *tensor_; }

 private:
  OwnedTensor tensor_;
};

TEST(RandomScenes, AreTheFormulaOnAnyThreadsAndAfterARestore) {
  for (int round = 0; round < n_rounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    Random random(static_cast<unsigned>(round));
    Scene scene(any_shape(random), static_cast<unsigned>(round));
    Extras extras;
    choose_extras(random, scene, extras);

    scene.attend(1);
    scene.expect_oracle();
    scene.expect_exact_oracle_within_query_rounding();
    const std::vector<float> alone = scene.out;
    scene.attend(random.between(2, 4));
    ASSERT_EQ(scene.out, alone);
    Restored k(scene.k);
    Restored v(scene.v);
    scene.attend(*k, *v, 1);
    ASSERT_EQ(scene.out, alone);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

// Rows that are exact are seen as such, once, whatever is visible of them; the formula reads them.
TEST(RandomScenes, AreTheFormulaWithExactRowsToo) {
  for (int round = 0; round < n_rounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    Random random(static_cast<unsigned>(1000 + round));
    SceneShape shape = any_shape(random);
    shape.k_format->sinks = shape.v_format->sinks = random.between(0, 4);
    shape.k_format->window = shape.v_format->window = random.between(0, 44);
    shape.k_format->exact_saved = shape.v_format->exact_saved = shape.k_format->n_slots() > 0;
    std::ranges::replace(shape.k_format->group_bits, 16, 8);  // queries for exact rows are codes
    Scene scene(shape, static_cast<unsigned>(round));
    Extras extras;
    choose_extras(random, scene, extras);

    scene.attend(1);
    scene.expect_oracle();
    const std::vector<float> alone = scene.out;
    scene.attend(random.between(2, 4));
    ASSERT_EQ(scene.out, alone);
    Restored k(scene.k);
    Restored v(scene.v);
    scene.attend(*k, *v, 1);
    ASSERT_EQ(scene.out, alone);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

// A token alone and the same token in a prompt: what cache reuse and parallel slots rest on.
TEST(RandomScenes, ATokensResultDoesNotDependOnItsBatch) {
  for (const int n_tokens : {2, 30, 90}) {
    SceneShape shape;
    shape.n_tokens = n_tokens;
    shape.n_kv = 1000;
    Scene scene(shape);
    scene.make_causal();
    scene.attend(2);
    const std::vector<float> batch = scene.out;
    const std::size_t row_size = static_cast<std::size_t>(shape.n_heads()) * shape.head_dim_v;
    for (const int token : {0, n_tokens / 2, n_tokens - 1}) {
      scene.call.n_tokens = 1;
      scene.call.q = scene.q.data() + static_cast<std::size_t>(token) * shape.head_dim_k;
      scene.call.mask = &scene.mask_at(0, token, 0);
      scene.attend(2);
      for (std::size_t i = 0; i < row_size; ++i) {
        ASSERT_EQ(scene.out[i], batch[token * row_size + i]) << token;
      }
    }
  }
}

}  // namespace
}  // namespace kvsplit
