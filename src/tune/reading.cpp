#include "tune/reading.h"

#include <cmath>
#include <memory>

#include "base/half.h"

namespace kvsplit::tune {
namespace {

constexpr float unseen = -1e9F;  // finite: differences of two are 0, and so is its exp

// Rows that lie `stride` bytes apart.
Eigen::Map<const Rows, 0, Eigen::OuterStride<>> strided(const float* first, Eigen::Index n_rows,
                                                        Eigen::Index n_columns,
                                                        std::size_t stride) {
  const auto apart = static_cast<Eigen::Index>(stride / sizeof(float));
  return {first, n_rows, n_columns, Eigen::OuterStride<>(apart)};
}

}  // namespace

void LayerTap::rows(const NominalRows& cache, const WriteCall& call) {
  if (!on) return;
  (cache.side == Side::key ? all_keys : all_values) =
      strided(call.values, std::ssize(call.rows), cache.n_channels, call.row_stride);
  if (cache.side != Side::key) return;
  key_rotation.reset();
  if (call.rotation != nullptr) key_rotation = *call.rotation;
}

bool LayerTap::knows(const AttentionCall& call) const {
  return on && call.n_tokens > n_sinks && all_keys.rows() == call.n_tokens;
}

void read(const measure::ComparisonCall& text, LayerTap& watching) {
  const std::unique_ptr<Tap, void (*)(Tap*)> removed_at_end(&watching,
                                                            [](Tap*) { tap() = nullptr; });
  tap() = &watching;
  host::ContextOptions options;
  options.cache = host::kvsplit_cache(parse_precision("FP16"));
  options.n_context = options.n_batch = options.n_ubatch = text.window;
  options.n_outputs = 1;
  options.n_threads = text.n_threads;
  host::Context context(*text.packed, options);
  watching.on = true;
  for (int i = 0; i < text.n_windows; ++i) {
    context.clear();
    const auto window = text.tokens.subspan(static_cast<std::size_t>(i) * text.window, text.window);
    std::vector<host::Token> tokens(window.begin(), window.end());
    if (text.packed->starts_with_bos()) tokens[0] = text.packed->bos();
    context.decode(tokens, tokens.size() - 1);
    text.progress("reading", (i + 1.0) / text.n_windows);
  }
}

Rows queries(const AttentionCall& call, int head, Eigen::Index n_tokens) {
  const auto first = static_cast<int>(call.n_tokens - n_tokens);
  return call.scale *
         strided(call.query(0, head, first), n_tokens, call.head_dim, call.q_strides.token);
}

Rows log_attention(const Rows& q, const Rows& k, const AttentionCall& call, int head) {
  Rows scores(q.rows(), k.rows() + (call.sinks != nullptr ? 1 : 0));
  scores.leftCols(k.rows()) = q * k.transpose();
  if (call.softcap != 0) scores = call.softcap * (scores.array() / call.softcap).tanh();
  if (call.sinks != nullptr) scores.rightCols(1).setConstant(call.sinks[head]);
  const float slope = alibi_slope(call.max_bias, head, call.n_heads);
  const auto first = static_cast<int>(call.n_tokens - q.rows());
  for (int token = 0; token < q.rows(); ++token) {
    const Half* const mask = call.mask_row(0, head, first + token);
    auto row = scores.row(token);
    for (Eigen::Index cell = 0; mask != nullptr && cell < k.rows(); ++cell) {
      row[cell] = mask[cell] == half_minus_infinity ? unseen
                                                    : row[cell] + slope * half_to_float(mask[cell]);
    }
    row.array() -= row.maxCoeff();
    row.array() -= std::log(row.array().exp().sum());
  }
  return scores;
}

Rows turned(Rows rows, const Rotation& rotation, Eigen::Index first, float direction) {
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    turn_head(rotation, turn_of(rotation, static_cast<int>(first + i)),
              {&rows(i, 0), static_cast<std::size_t>(rows.cols())}, direction);
  }
  return rows;
}

}  // namespace kvsplit::tune
