#include "tune/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/pages.h"
#include "cache/plan.h"
#include "tune/reading.h"

namespace kvsplit::tune {
namespace {

// Rows of a head as a packed tensor gives them back.
Rows coded(const Rows& rows, Side side, int bits, bool rotate = true) {
  const auto n_channels = static_cast<int>(rows.cols());
  const Precision precision{bits, bits, rotate, 0, 0};
  const RowFormat format = plan_format(precision, 0, side, n_channels, false);
  const Pages memory(PackedTensor::bytes(format, {rows.rows()}));
  PackedTensor tensor(format, side, {rows.rows()}, memory.data());
  tensor.bind_heads(n_channels);
  std::vector<std::int64_t> numbers(rows.rows());
  std::iota(numbers.begin(), numbers.end(), 0);
  tensor.write({rows.data(), n_channels * sizeof(float), numbers}, {});
  Rows back = rows;
  for (const auto row : numbers) tensor.read(row, std::span(&back(row, 0), rows.cols()));
  return back;
}

// What stands in each key of the mean that they have before they are rotated.
Rows mean_in_keys(const Rows& k, const Rotation& rotation) {
  const Rows mean = turned(k, rotation, 0, -1).bottomRows(k.rows() - n_sinks).colwise().mean();
  return turned(mean.replicate(k.rows(), 1), rotation, 0, 1);
}

// What keys look like, those of the first tokens aside.
void describe_keys(const Rows& k, const Rows& mean, measure::HeadRecord& head) {
  const auto own = k.bottomRows(k.rows() - n_sinks);
  const auto varying = (k - mean).bottomRows(own.rows());
  head.outlier = std::sqrt(own.cwiseAbs2().colwise().mean().maxCoeff() / own.cwiseAbs2().mean());
  head.bias = mean.row(0).norm() / std::sqrt(varying.cwiseAbs2().rowwise().sum().mean());
  head.first_norm = k.row(0).norm() / own.rowwise().norm().mean();
}

// Where a query head looks. What is said of it are means over its tokens.
struct Look {
  Look(const Rows& q, const Rows& k, const AttentionCall& call, int head)
      : log_p(log_attention(q, k, call, head)), p(log_p.array().exp()) {}

  static double mean(const Rows& numbers) { return numbers.rowwise().sum().cast<double>().mean(); }
  double entropy() const { return -mean(p.cwiseProduct(log_p)); }
  double first_share() const { return mean(p.leftCols(n_sinks)); }
  double kl(const Look& other) const { return mean(p.cwiseProduct(log_p - other.log_p)); }
  Rows output(const Rows& v) const { return p.leftCols(v.rows()) * v; }

  Rows log_p, p;
};

measure::HeadRecord explain_head(const Rows& k, const Rows& v, const Rotation& rotation, int bits,
                                 const AttentionCall& call, int first_head, int n_heads) {
  const Rows mean = mean_in_keys(k, rotation);
  const Rows k16 = coded(k, Side::key, 16);
  const Rows packed = coded(k, Side::key, bits);
  const Rows unrotated = coded(k, Side::key, bits, false);
  Rows first_exact = packed;
  first_exact.topRows(n_sinks) = k16.topRows(n_sinks);
  const Rows bias_off = coded(k - mean, Side::key, bits) + mean;
  const Rows v16 = coded(v, Side::value, 16);
  const Rows packed_v = coded(v, Side::value, bits);
  const Rows unrotated_v = coded(v, Side::value, bits, false);

  measure::HeadRecord record;
  double power = 0;
  for (int head = first_head; head < first_head + n_heads; ++head) {
    const Rows q = queries(call, head, k.rows() / 2);
    const Look exact(q, k16, call, head);
    const Look with_packed(q, packed, call, head);
    const Look with_unrotated(q, unrotated, call, head);
    record.kl += exact.kl(with_packed) / n_heads;
    record.kl_unrotated += exact.kl(with_unrotated) / n_heads;
    record.kl_first_exact += exact.kl({q, first_exact, call, head}) / n_heads;
    record.kl_bias_off += exact.kl({q, bias_off, call, head}) / n_heads;
    record.entropy += exact.entropy() / n_heads;
    record.entropy_change += (with_packed.entropy() - exact.entropy()) / n_heads;
    record.first_share += exact.first_share() / n_heads;
    record.first_share_quantised += with_packed.first_share() / n_heads;
    const Rows out = exact.output(v16);
    power += out.squaredNorm();
    record.key_error += (with_packed.output(v16) - out).squaredNorm();
    record.key_error_unrotated += (with_unrotated.output(v16) - out).squaredNorm();
    record.value_error += (exact.output(packed_v) - out).squaredNorm();
    record.value_error_unrotated += (exact.output(unrotated_v) - out).squaredNorm();
  }
  for (double* error : {&record.key_error, &record.key_error_unrotated, &record.value_error,
                        &record.value_error_unrotated}) {
    *error = std::sqrt(*error / power);
  }
  describe_keys(k, mean, record);
  return record;
}

class Explainer : public LayerTap {
 public:
  Explainer(const measure::ComparisonCall& text, int bits, const std::vector<int>& layers)
      : text_(text), bits_(bits), layers_(layers) {}

  void attention(const NominalRows& keys, const AttentionCall& call) override {
    const bool chosen = layers_.empty() || std::ranges::count(layers_, keys.layer) > 0;
    if (!knows(call) || !chosen) return;
    const auto n_heads = static_cast<int>(all_keys.cols() / call.head_dim);
    const auto dim_v = all_values.cols() / n_heads;
    const int group = call.n_heads / n_heads;
    for (int head = 0; head < n_heads; ++head) {
      heads.push_back(explain_head(all_keys.middleCols(head * call.head_dim, call.head_dim),
                                   all_values.middleCols(head * dim_v, dim_v),
                                   key_rotation.value_or(Rotation{}), bits_, call, head * group,
                                   group));
      heads.back().layer = keys.layer;
      heads.back().kv_head = head;
    }
    text_.progress("explaining", (keys.layer + 1.0) / text_.packed->facts().n_layers);
  }

  std::vector<measure::HeadRecord> heads;

 private:
  const measure::ComparisonCall& text_;
  int bits_;
  const std::vector<int>& layers_;
};

}  // namespace

std::vector<measure::HeadRecord> explain(const measure::ComparisonCall& text, int bits,
                                         const std::vector<int>& layers) {
  Explainer explainer(text, bits, layers);
  read(text, explainer);
  const auto& heads = explainer.heads;
  for (const int layer : layers) {
    if (std::ranges::find(heads, layer, &measure::HeadRecord::layer) != heads.end()) continue;
    throw Error(fmt::format("layer {}: there is none, or its cache is not packed", layer));
  }
  if (heads.empty()) throw Error(text.packed->file() + ": no layer has a cache that is packed");
  return heads;
}

}  // namespace kvsplit::tune
