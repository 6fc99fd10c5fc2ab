// What explain says of a head beside the same in double precision, written from the definitions:
// one query, one cell after the other, rows coded by the quantiser alone. On tiny models of
// families whose attention differs: grouped heads, caps on scores and windows, ALiBi, sinks.
#include "tune/explain.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/half.h"
#include "codec/group_codec.h"
#include "codec/transform.h"
#include "host/backend.h"
#include "support/run_program.h"
#include "tune/reading.h"

namespace kvsplit::tune {
namespace {

constexpr int bits = 3;
constexpr int n_tokens = 96;

using Numbers = std::vector<std::vector<double>>;  // rows

std::vector<float> coded(std::vector<float> head, int n_bits, bool rotate) {
  if (n_bits == 16) {
    for (float& x : head) x = half_to_float(float_to_half(x));
    return head;
  }
  const TransformKind turn = rotate ? TransformKind::hadamard : TransformKind::identity;
  transform_head(turn, head);
  std::array<std::uint16_t, group_channels> codes{};
  for (std::size_t i = 0; i < head.size(); i += group_channels) {
    const auto group = std::span(head).subspan(i, group_channels);
    decode_group(codes, n_bits, encode_group(group, n_bits, codes), group);
  }
  transform_head(turn, head);
  return head;
}

Numbers coded(const Rows& rows, int n_bits, bool rotate = true) {
  Numbers all;
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    const Eigen::RowVectorXf row = rows.row(i);
    const auto back = coded(std::vector<float>(row.begin(), row.end()), n_bits, rotate);
    all.emplace_back(back.begin(), back.end());
  }
  return all;
}

/// ALiBi's, arXiv 2108.12409: a power of two of heads, and the rest from twice as many.
double slope(const AttentionCall& call, int head) {
  if (call.max_bias <= 0) return 1;
  int n = 1;
  while (2 * n <= call.n_heads) n *= 2;
  if (head < n) return std::pow(2, -call.max_bias * (head + 1) / n);
  return std::pow(2, -call.max_bias * (2 * (head - n) + 1) / (2 * n));
}

/// Weights of one token, that of a sink behind them.
std::vector<double> weights(const AttentionCall& call, int head, int token, const Numbers& k) {
  std::vector<double> p;
  for (int cell = 0; cell < n_tokens; ++cell) {
    double score = 0;
    for (int c = 0; c < call.head_dim; ++c) {
      score += double{call.query(0, head, token)[c]} * k[cell][c] * call.scale;
    }
    if (call.softcap != 0) score = call.softcap * std::tanh(score / call.softcap);
    p.push_back(
        std::exp(score + slope(call, head) * half_to_float(call.mask_row(0, head, token)[cell])));
  }
  if (call.sinks != nullptr) p.push_back(std::exp(call.sinks[head]));
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& x : p) x /= sum;
  return p;
}

double entropy(const std::vector<double>& p) {
  double sum = 0;
  for (const double x : p) sum -= x == 0 ? 0 : x * std::log(x);
  return sum;
}

double kl(const std::vector<double>& p, const std::vector<double>& q) {
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) sum += p[i] == 0 ? 0 : p[i] * std::log(p[i] / q[i]);
  return sum;
}

double first_share(const std::vector<double>& p) { return p[0] + p[1] + p[2] + p[3]; }

std::vector<double> output(const std::vector<double>& p, const Numbers& v) {
  std::vector<double> out(v[0].size());
  for (std::size_t cell = 0; cell < v.size(); ++cell) {
    for (std::size_t c = 0; c < out.size(); ++c) out[c] += p[cell] * v[cell][c];
  }
  return out;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

/// Explains the last layer that it sees.
class Oracle : public LayerTap {
 public:
  void attention(const NominalRows& keys, const AttentionCall& call) override {
    if (!knows(call)) return;
    const int n_heads = static_cast<int>(all_keys.cols()) / call.head_dim;
    const auto dim_v = all_values.cols() / n_heads;
    heads.clear();
    for (int head = 0; head < n_heads; ++head) {
      heads.push_back(explain(call, all_keys.middleCols(head * call.head_dim, call.head_dim),
                              all_values.middleCols(head * dim_v, dim_v), head,
                              call.n_heads / n_heads));
      heads.back().layer = keys.layer;
      heads.back().kv_head = head;
    }
  }

  std::vector<measure::HeadRecord> heads;

 private:
  static measure::HeadRecord explain(const AttentionCall& call, const Rows& k, const Rows& v,
                                     int kv_head, int group) {
    const Numbers k16 = coded(k, 16), packed = coded(k, bits), flat = coded(k, bits, false);
    const Numbers v16 = coded(v, 16), packed_v = coded(v, bits), flat_v = coded(v, bits, false);
    Numbers first_exact = packed;
    std::copy_n(k16.begin(), 4, first_exact.begin());
    measure::HeadRecord sum;
    double power = 0;
    const double n = n_tokens / 2.0 * group;
    for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      for (int token = n_tokens / 2; token < n_tokens; ++token) {
        const auto p = weights(call, head, token, k16);
        const auto q = weights(call, head, token, packed);
        const auto q_flat = weights(call, head, token, flat);
        sum.kl += kl(p, q) / n;
        sum.kl_unrotated += kl(p, q_flat) / n;
        sum.kl_first_exact += kl(p, weights(call, head, token, first_exact)) / n;
        sum.entropy += entropy(p) / n;
        sum.entropy_change += (entropy(q) - entropy(p)) / n;
        sum.first_share += first_share(p) / n;
        sum.first_share_quantised += first_share(q) / n;
        const auto out = output(p, v16);
        power += distance(out, std::vector<double>(out.size()));
        sum.key_error += distance(output(q, v16), out);
        sum.key_error_unrotated += distance(output(q_flat, v16), out);
        sum.value_error += distance(output(p, packed_v), out);
        sum.value_error_unrotated += distance(output(p, flat_v), out);
      }
    }
    for (double* error :
         {&sum.key_error, &sum.key_error_unrotated, &sum.value_error, &sum.value_error_unrotated}) {
      *error = std::sqrt(*error / power);
    }
    return sum;
  }
};

class Explain : public testing::TestWithParam<const char*> {
 protected:
  Explain() : tokens_(n_tokens) {
    host::start();
    model_.emplace(std::string(KVSPLIT_SOURCE_DIR "/tests/data/models/") + GetParam() + ".gguf",
                   "KVSPLIT");
    for (int i = 0; i < n_tokens; ++i) tokens_[i] = (i + 1) * 7919 % model_->n_vocab();
    text_.packed = &*model_;
    text_.tokens = tokens_;
    text_.window = n_tokens;
  }

  std::optional<host::Model> model_;
  std::vector<host::Token> tokens_;
  measure::ComparisonCall text_;
};

TEST_P(Explain, SaysWhatDoublePrecisionSays) {
  Oracle oracle;
  read(text_, oracle);
  ASSERT_FALSE(oracle.heads.empty());
  const auto heads = explain(text_, bits, {oracle.heads[0].layer});
  ASSERT_EQ(heads.size(), oracle.heads.size());
  // Scores of some tens are off by 2^-24 of themselves a product of `head_dim`, so that weights are
  // by some 1e-5 of themselves; a divergence is a difference of such.
  constexpr double some = 1e-5;
  for (std::size_t i = 0; i < heads.size(); ++i) {
    const measure::HeadRecord& found = heads[i];
    const measure::HeadRecord& truth = oracle.heads[i];
    const auto expect = [&](double measure::HeadRecord::*value, const char* name) {
      EXPECT_NEAR(found.*value, truth.*value, some + 1e-3 * std::fabs(truth.*value)) << name;
    };
    EXPECT_EQ(found.layer, truth.layer);
    EXPECT_EQ(found.kv_head, truth.kv_head);
    EXPECT_GT(std::fabs(truth.kl - truth.kl_unrotated), some + 1e-3 * truth.kl)
        << "what is wrong would not be seen";
    expect(&measure::HeadRecord::kl, "kl");
    expect(&measure::HeadRecord::kl_unrotated, "kl_unrotated");
    expect(&measure::HeadRecord::kl_first_exact, "kl_first_exact");
    expect(&measure::HeadRecord::entropy, "entropy");
    expect(&measure::HeadRecord::entropy_change, "entropy_change");
    expect(&measure::HeadRecord::first_share, "first_share");
    expect(&measure::HeadRecord::first_share_quantised, "first_share_quantised");
    expect(&measure::HeadRecord::key_error, "key_error");
    expect(&measure::HeadRecord::key_error_unrotated, "key_error_unrotated");
    expect(&measure::HeadRecord::value_error, "value_error");
    expect(&measure::HeadRecord::value_error_unrotated, "value_error_unrotated");
  }
}

TEST_P(Explain, SixteenBitsLoseNothing) {
  for (const measure::HeadRecord& head : explain(text_, 16, {})) {
    EXPECT_EQ(head.kl, 0);
    EXPECT_EQ(head.kl_unrotated, 0);
    EXPECT_EQ(head.kl_first_exact, 0);
    EXPECT_LT(head.kl_bias_off, 1e-5) << "rounded to 16 bits somewhere else";
    EXPECT_EQ(head.entropy_change, 0);
    EXPECT_EQ(head.first_share, head.first_share_quantised);
    EXPECT_EQ(head.key_error, 0);
    EXPECT_EQ(head.value_error, 0);
    EXPECT_GT(head.entropy, 0);
  }
}

TEST_P(Explain, MoreBitsLoseLess) {
  measure::HeadRecord last;
  last.kl = last.kl_unrotated = last.key_error = last.value_error = INFINITY;
  for (const int more : {2, 3, 4, 6, 8}) {
    measure::HeadRecord sum;
    for (const measure::HeadRecord& head : explain(text_, more, {})) {
      sum.kl += head.kl;
      sum.kl_unrotated += head.kl_unrotated;
      sum.key_error += head.key_error;
      sum.value_error += head.value_error;
    }
    EXPECT_LT(sum.kl, last.kl) << more;
    EXPECT_LT(sum.kl_unrotated, last.kl_unrotated) << more;
    EXPECT_LT(sum.key_error, last.key_error) << more;
    EXPECT_LT(sum.value_error, last.value_error) << more;
    last = sum;
  }
}

TEST_P(Explain, RefusesALayerThatIsNone) { EXPECT_THROW(explain(text_, bits, {0, 99}), Error); }

INSTANTIATE_TEST_SUITE_P(Models, Explain,
                         testing::Values("llama-head64", "gemma2", "mpt", "gpt-oss", "qwen2"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

/// Biases of keys stand before RoPE. A model whose keys have them has much to gain without.
TEST(ExplainBias, IsSeenWhereThereIsOne) {
  host::start();
  const auto bias_of = [](const char* name) {
    const host::Model model(std::string(KVSPLIT_SOURCE_DIR "/tests/data/models/") + name,
                            "KVSPLIT");
    std::vector<host::Token> tokens(n_tokens);
    for (int i = 0; i < n_tokens; ++i) tokens[i] = (i + 1) * 7919 % model.n_vocab();
    measure::ComparisonCall text;
    text.packed = &model;
    text.tokens = tokens;
    text.window = n_tokens;
    return explain(text, 4, {0})[0].bias;
  };
  EXPECT_GT(bias_of("qwen2.gguf"), 2 * bias_of("llama-head64.gguf"));
}

}  // namespace
}  // namespace kvsplit::tune
