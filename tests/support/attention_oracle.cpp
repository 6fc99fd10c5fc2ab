#include "support/attention_oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/half.h"
#include "codec/transform.h"

namespace kvsplit::oracle {
namespace {

template <typename T>
const T* at(const T* base, std::size_t bytes) {
  return reinterpret_cast<const T*>(reinterpret_cast<const std::byte*>(base) + bytes);
}

// The query as the kernels see it: scaled and turned, the numbers of each coded group rounded to
// 127 steps of their largest, and turned back, so that it meets keys as read() returns them.
// Scaled in the same way as in cache/attention.cpp, because a number between two steps must fall
// to the same.
std::vector<float> rounded_query(const PackedTensor& k, int head, std::vector<float> q,
                                 float scale) {
  for (float& x : q) x *= scale;
  transform_head(k.format().transform, q);
  for (const GroupLayout& group : k.head_groups(head)) {
    if (!group.coded()) continue;
    const int first = group.first_channel - head * k.head_dim();
    float largest = 0;
    for (int c = 0; c < group_channels; ++c) largest = std::max(largest, std::fabs(q[first + c]));
    if (largest == 0) continue;
    const float inverse = 127.0F / largest;
    for (int c = 0; c < group_channels; ++c) {
      q[first + c] = std::round(q[first + c] * inverse) * (largest / 127.0F);
    }
  }
  transform_head(k.format().transform, q);
  return q;
}

double slope(double max_bias, int head, int n_heads) {
  if (max_bias <= 0) return 1;
  const int n = 1 << static_cast<int>(std::floor(std::log2(n_heads)));
  const double m0 = std::pow(2.0, -max_bias / n);
  const double m1 = std::pow(2.0, -max_bias / 2 / n);
  return head < n ? std::pow(m0, head + 1) : std::pow(m1, 2 * (head - n) + 1);
}

struct Cells {
  std::vector<std::vector<float>> k, v;  // [n_kv][n_channels]
};

Cells read_cells(const PackedTensor& k, const PackedTensor& v, const AttentionCall& call,
                 int stream) {
  Cells cells;
  for (std::int64_t cell = 0; cell < call.n_kv; ++cell) {
    const std::int64_t row = (call.first_stream + stream) * k.cells().kv_size + cell;
    k.read(row, cells.k.emplace_back(k.format().n_channels()));
    v.read(row, cells.v.emplace_back(v.format().n_channels()));
  }
  return cells;
}

// One query row against all cells.
void attend_row(const PackedTensor& k, const PackedTensor& v, const AttentionCall& call,
                const Cells& cells, int stream, int token, int head, bool round_queries,
                std::span<double> out) {
  const int kv_head = head / (call.n_heads / k.n_heads());
  const float* first = at(call.q, stream * call.q_strides.stream + head * call.q_strides.head +
                                      token * call.q_strides.token);
  std::vector<float> q(first, first + k.head_dim());
  double scale = call.scale;
  if (round_queries) {
    constexpr float log2_e = 1.44269504F;
    q = rounded_query(k, kv_head, std::move(q),
                      call.softcap != 0 ? call.scale / call.softcap : call.scale * log2_e);
    scale = call.softcap != 0 ? double{call.softcap} : 1 / double{log2_e};
  }
  const Half* mask = call.mask == nullptr
                         ? nullptr
                         : at(call.mask, token * call.mask_strides.token +
                                             head % call.mask_heads * call.mask_strides.head +
                                             stream % call.mask_streams * call.mask_strides.stream);
  std::vector<double> scores(cells.k.size());
  double max = -std::numeric_limits<double>::infinity();
  for (std::size_t cell = 0; cell < scores.size(); ++cell) {
    double score = 0;
    for (int c = 0; c < k.head_dim(); ++c) {
      score += static_cast<double>(q[c]) * cells.k[cell][kv_head * k.head_dim() + c];
    }
    score *= scale;
    if (call.softcap != 0) score = call.softcap * std::tanh(score / call.softcap);
    if (mask != nullptr) {
      score += slope(call.max_bias, head, call.n_heads) * half_to_float(mask[cell]);
    }
    scores[cell] = score;
    max = std::max(max, score);
  }
  std::ranges::fill(out, 0.0);
  if (max == -std::numeric_limits<double>::infinity()) return;
  double sum = call.sinks == nullptr ? 0 : std::exp(call.sinks[head] - max);
  for (std::size_t cell = 0; cell < scores.size(); ++cell) {
    const double weight = std::exp(scores[cell] - max);
    sum += weight;
    for (int c = 0; c < v.head_dim(); ++c)
      out[c] += weight * cells.v[cell][kv_head * v.head_dim() + c];
  }
  for (double& x : out) x /= sum;
}

}  // namespace

std::vector<double> attend(const PackedTensor& k, const PackedTensor& v, const AttentionCall& call,
                           bool round_queries) {
  const std::size_t dim = v.head_dim();
  std::vector<double> out(dim * call.n_heads * call.n_tokens * call.n_streams);
  std::size_t row = 0;
  for (int stream = 0; stream < call.n_streams; ++stream) {
    const Cells cells = read_cells(k, v, call, stream);
    for (int token = 0; token < call.n_tokens; ++token) {
      for (int head = 0; head < call.n_heads; ++head, ++row) {
        attend_row(k, v, call, cells, stream, token, head, round_queries,
                   std::span(out).subspan(row * dim, dim));
      }
    }
  }
  return out;
}

}  // namespace kvsplit::oracle
