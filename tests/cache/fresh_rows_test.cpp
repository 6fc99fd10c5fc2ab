// What tokens of a batch see in 8 bits: each one what it would see if they came one by one.
#include "cache/fresh_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "cache/plan.h"
#include "support/cache_fixture.h"
#include "support/planned_format.h"

namespace kvsplit {
namespace {

using test::OwnedTensor;
using test::random_numbers;

constexpr int n_heads = 3, group_size = 3, head_dim = 64, n_channels = n_heads * head_dim;
constexpr int row_floats = n_heads * group_size * head_dim;  // of a token's queries and outputs

/// Some texts, each token with its cell, its place in its text, and what it brings.
struct Talk {
  std::int64_t kv_size = 512;
  int n_streams = 1;
  std::int32_t n_seen = 1000;  ///< back from a token
  struct Token {
    std::int64_t row = 0;
    std::int32_t position = 0;
    int text = 0;
  };
  std::vector<Token> tokens;
  std::vector<float> k, v, q;

  void fill() {
    k = random_numbers(tokens.size() * n_channels, 1);
    v = random_numbers(tokens.size() * n_channels, 2, 1000);
    for (std::size_t i = 0; i < v.size(); ++i) v[i] *= std::exp2(i / n_channels % 11 - 5.0F);
    q = random_numbers(tokens.size() * row_floats, 3);
  }
  /// Whether what the row holds then is of the token's text and not too far back.
  bool sees(int token, std::int64_t row) const {
    int last = -1;
    for (int i = 0; i <= token; ++i) {
      if (tokens[i].row == row) last = i;
    }
    return last >= 0 && tokens[last].text == tokens[token].text &&
           tokens[token].position - tokens[last].position < n_seen;
  }
};

Talk one_text(int n_tokens, std::int64_t first_cell = 0, std::int64_t kv_size = 512) {
  Talk talk;
  talk.kv_size = kv_size;
  for (int i = 0; i < n_tokens; ++i) talk.tokens.push_back({(first_cell + i) % kv_size, i, 0});
  talk.fill();
  return talk;
}

struct Formats {
  RowFormat k, v;
};

RowFormat with_exact_rows(RowFormat format, bool saved = true) {
  format.sinks = 4;
  format.window = 28;
  format.exact_saved = saved;
  return format;
}

Formats uniform(int k_bits) {
  const bool saved = k_bits <= 5;
  return {with_exact_rows(uniform_format(n_channels, k_bits, TransformKind::hadamard), saved),
          with_exact_rows(uniform_format(n_channels, 4, TransformKind::hadamard), saved)};
}

Formats planned(int frame_cells) {
  return {with_exact_rows(test::planned_format({.bits = 4, .frame_cells = frame_cells})),
          uniform(4).v};
}

/// A cache that tokens of a talk are given in batches.
class Reader {
 public:
  Reader(const Talk& talk, const Formats& formats, bool keeps_fresh = true)
      : talk_(talk),
        keeps_fresh_(keeps_fresh),
        k_(formats.k, Side::key, {talk.kv_size, talk.n_streams}, head_dim),
        v_(formats.v, Side::value, {talk.kv_size, talk.n_streams}, head_dim) {}

  /// Writes tokens and attends for them; those of several streams take turns.
  std::vector<float> read(int first, int n, int n_threads = 1) {
    write(*k_, talk_.k, first, n, n_threads);
    write(*v_, talk_.v, first, n, n_threads);
    return attend(first, n, n_threads);
  }
  /// All of them, cut into batches of these sizes, the last one as often as needed.
  std::vector<float> read_all(const std::vector<int>& sizes, int n_threads = 1) {
    std::vector<float> out;
    const int end = static_cast<int>(std::ssize(talk_.tokens));
    for (std::size_t first = 0, i = 0; first < talk_.tokens.size(); ++i) {
      const int n = std::min(sizes[std::min(i, sizes.size() - 1)], end - static_cast<int>(first));
      const std::vector<float> part = read(static_cast<int>(first), n, n_threads);
      out.insert(out.end(), part.begin(), part.end());
      first += n;
    }
    return out;
  }
  std::vector<std::byte> saved() {
    std::vector<std::byte> all;
    for (OwnedTensor* tensor : {&k_, &v_}) {
      std::vector<std::byte> raw((*tensor)->raw_row_bytes());
      for (std::int64_t row = 0; row < (*tensor)->cells().n_rows(); ++row) {
        (*tensor)->read_raw(row, raw);
        all.insert(all.end(), raw.begin(), raw.end());
      }
    }
    return all;
  }

 private:
  void write(PackedTensor& tensor, const std::vector<float>& values, int first, int n,
             int n_threads) {
    std::vector<std::int64_t> rows;
    std::vector<std::int32_t> positions;
    for (int i = first; i < first + n; ++i) {
      rows.push_back(talk_.tokens[i].row);
      positions.push_back(talk_.tokens[i].position);
    }
    const WriteCall call{.values = values.data() + std::size_t{1} * first * n_channels,
                         .row_stride = n_channels * sizeof(float),
                         .rows = rows,
                         .positions = positions.data(),
                         .fresh = keeps_fresh_ ? &workspace_.fresh(tensor.side()) : nullptr};
    test::on_threads(n_threads, [&](Worker worker) { tensor.write(call, worker); });
  }

  std::vector<float> attend(int first, int n, int n_threads) {
    std::vector<float> out(std::size_t{1} * n * row_floats);
    std::vector<Half> mask(std::size_t{1} * n * talk_.kv_size, half_minus_infinity);
    AttentionCall call;
    call.first_stream = static_cast<int>(talk_.tokens[first].row / talk_.kv_size);
    call.n_streams =
        static_cast<int>(talk_.tokens[first + n - 1].row / talk_.kv_size) - call.first_stream + 1;
    call.n_tokens = n / call.n_streams;
    for (int i = 0; i < n; ++i) {
      const std::int64_t stream = talk_.tokens[first + i].row / talk_.kv_size;
      for (std::int64_t cell = 0; cell < talk_.kv_size; ++cell) {
        if (talk_.sees(first + i, stream * talk_.kv_size + cell))
          mask[i * talk_.kv_size + cell] = 0;
      }
    }
    call.n_heads = n_heads * group_size;
    call.head_dim = head_dim;
    call.n_kv = talk_.kv_size;
    call.q = talk_.q.data() + std::size_t{1} * first * row_floats;
    call.q_strides = {row_floats * sizeof(float), head_dim * sizeof(float),
                      call.n_tokens * row_floats * sizeof(float)};
    call.mask = mask.data();
    call.mask_strides.token = talk_.kv_size * sizeof(Half);
    call.mask_strides.stream = call.n_tokens * call.mask_strides.token;
    call.mask_streams = call.n_streams;
    call.scale = 1.0F / std::sqrt(static_cast<float>(head_dim));
    call.out = out.data();
    test::on_threads(n_threads,
                     [&](Worker worker) { kvsplit::attend(*k_, *v_, call, workspace_, worker); });
    return out;
  }

  const Talk& talk_;
  bool keeps_fresh_;
  Workspace workspace_{4};
  OwnedTensor k_, v_;
};

double size(const std::vector<float>& x) {
  return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
}

double distance(const std::vector<float>& x, const std::vector<float>& truth) {
  std::vector<float> error(x.size());
  std::ranges::transform(x, truth, error.begin(), std::minus{});
  return size(error) / size(truth);
}

// What packed rows lose against those of 8 bits is more than this.
constexpr double clearly = 1e-2;

void expect_like_one_by_one(const Talk& talk, const Formats& formats,
                            const std::vector<int>& sizes) {
  Reader one_by_one(talk, formats);
  Reader in_batches(talk, formats);
  const std::vector<float> truth = one_by_one.read_all({1});
  EXPECT_EQ(in_batches.read_all(sizes), truth);
  EXPECT_EQ(in_batches.saved(), one_by_one.saved());
}

TEST(FreshRows, MakeABatchLikeItsTokensOneByOne) {
  const Talk talk = one_text(300);
  expect_like_one_by_one(talk, uniform(4), {300});
  expect_like_one_by_one(talk, uniform(4), {7, 100, 1, 64, 2});
  expect_like_one_by_one(talk, uniform(8), {150});
  expect_like_one_by_one(talk, uniform(2), {90, 30});
}

TEST(FreshRows, AreWhatMakesItSo) {
  const Talk talk = one_text(300);
  const std::vector<float> truth = Reader(talk, uniform(4)).read_all({1});
  EXPECT_GT(distance(Reader(talk, uniform(4), false).read_all({300}), truth), clearly);
}

TEST(FreshRows, KnowFrames) {
  const Talk talk = one_text(400);
  expect_like_one_by_one(talk, planned(256), {400});
  expect_like_one_by_one(talk, planned(64), {100, 3, 200, 20});
  expect_like_one_by_one(talk, planned(0), {130});
}

// Rows are written over, and frames begin anew: a row in one that does is seen as packed.
TEST(FreshRows, GoRoundInARing) {
  Talk talk = one_text(500, 130, 192);
  talk.n_seen = 100;  // what a batch writes over nobody sees any more
  expect_like_one_by_one(talk, uniform(4), {60});
  Reader in_batches(talk, planned(64));
  const std::vector<float> truth = Reader(talk, planned(64)).read_all({1});
  EXPECT_LT(distance(in_batches.read_all({50}), truth), 3 * clearly);
}

TEST(FreshRows, OfTextsThatTakeTurnsInAStreamAreSharedAlike) {
  Talk talk;
  for (int i = 0; i < 240; ++i) talk.tokens.push_back({i, i / 3, i % 3});
  talk.fill();
  expect_like_one_by_one(talk, uniform(4), {120});
  expect_like_one_by_one(talk, planned(256), {31});
}

TEST(FreshRows, OfStreamsAreApart) {
  Talk talk;
  talk.kv_size = 256;
  talk.n_streams = 2;
  for (int batch = 0; batch < 2; ++batch) {
    for (int i = 0; i < 200; ++i) {
      const int stream = i / 100;
      const int position = batch * 100 + i % 100;
      talk.tokens.push_back({stream * talk.kv_size + position, position, stream});
    }
  }
  talk.fill();
  expect_like_one_by_one(talk, uniform(4), {200});
  expect_like_one_by_one(talk, planned(64), {200});
}

TEST(FreshRows, DoNotDependOnThreads) {
  const Talk talk = one_text(200);
  for (const Formats& formats : {uniform(4), uniform(8), planned(64)}) {
    const std::vector<float> alone = Reader(talk, formats).read_all({120});
    EXPECT_EQ(Reader(talk, formats).read_all({120}, 3), alone);
  }
}

AttentionCall call_of(int n_tokens, int first_stream = 0) {
  AttentionCall call;
  call.n_tokens = n_tokens;
  call.first_stream = first_stream;
  return call;
}

TEST(FreshRows, AreOfTheLastWriteAlone) {
  const Talk talk = one_text(64);
  OwnedTensor tensor(uniform(4).k, Side::key, {talk.kv_size, 1}, head_dim);
  FreshRows fresh(Side::key);
  const std::vector<std::int64_t> rows = test::consecutive(0, 64);
  const WriteCall call{.values = talk.k.data(),
                       .row_stride = n_channels * sizeof(float),
                       .rows = rows,
                       .fresh = &fresh};
  tensor->write(call, {});
  EXPECT_TRUE(fresh.is_of(tensor->exact(), call_of(64)));
  EXPECT_FALSE(fresh.is_of(tensor->exact(), call_of(32)));
  EXPECT_FALSE(fresh.is_of(tensor->exact(), call_of(64, 1)));
  OwnedTensor other(uniform(4).k, Side::key, {talk.kv_size, 1}, head_dim);
  EXPECT_FALSE(fresh.is_of(other->exact(), call_of(64)));
  tensor->forget_exact();
  EXPECT_FALSE(fresh.is_of(tensor->exact(), call_of(64))) << "the cache was cleared";
}

TEST(FreshRows, AreNoneOfBatchesThatDoNotFit) {
  const std::vector<std::int64_t> many = test::consecutive(0, FreshRows::most_rows + 1);
  const std::vector<std::int64_t> twice = {1, 2, 1};
  OwnedTensor tensor(uniform(4).k, Side::key, {8192, 1}, head_dim);
  FreshRows fresh(Side::key);
  for (const std::vector<std::int64_t>& rows : {many, twice}) {
    const std::vector<float> values = random_numbers(rows.size() * n_channels, 5);
    const WriteCall call{.values = values.data(),
                         .row_stride = n_channels * sizeof(float),
                         .rows = rows,
                         .fresh = &fresh};
    tensor->write(call, {});
    EXPECT_FALSE(fresh.is_of(tensor->exact(), call_of(static_cast<int>(std::ssize(rows)))));
    EXPECT_FALSE(fresh.at(0).exists());
  }
}

}  // namespace
}  // namespace kvsplit
