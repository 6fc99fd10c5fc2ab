#include "measure/comparison.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <functional>
#include <future>
#include <numeric>

#include "base/error.h"
#include "host/process.h"
#include "measure/speed.h"

namespace kvsplit::measure {
namespace {

/// x - max x. The floor, which no sum sees, keeps tokens that a model forbids with -inf from making
/// 0 · inf; what is NaN stays so.
Eigen::ArrayXf relative_to_top(std::span<const float> logits, Eigen::Index& top) {
  const Eigen::Map<const Eigen::ArrayXf> x(logits.data(), std::ssize(logits));
  const float most = x.maxCoeff(&top);
  return x.unaryExpr([most](float logit) { return logit - most < -80.0F ? -80.0F : logit - most; });
}

/// In double precision: a vocabulary has 49 to 262 thousand entries.
double sum(const Eigen::ArrayXf& numbers) {
  const auto widened = [](float number) { return double{number}; };
  return std::transform_reduce(numbers.begin(), numbers.end(), 0.0, std::plus(), widened);
}

void add_sizes(const ComparisonCall& call, std::vector<CacheRecord>& records) {
  if (call.packed == nullptr) return;
  const int n_context = call.size_context > 0 ? call.size_context : call.window;
  const auto sizes = measure_sizes(*call.packed, n_context, call.caches);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const host::CacheSize& size = sizes[i];
    records[i].kv_bytes = size.bytes();
    records[i].kv_context = n_context;
    if (size.k_numbers > 0) records[i].k_bits_all_in = 8.0 * size.k_bytes / size.k_numbers;
    if (size.v_numbers > 0) records[i].v_bits_all_in = 8.0 * size.v_bytes / size.v_numbers;
  }
}

/// Sums over the scored tokens of one context, in their order whatever the number of threads.
struct Tally {
  double log_likelihood = 0;
  double kl = 0, kl_squared = 0;
  std::int64_t n_same_top = 0, n_scored = 0;

  void add(const Divergence& at) {
    log_likelihood += at.log_likelihood;
    kl += at.kl;
    kl_squared += at.kl * at.kl;
    n_same_top += at.same_top ? 1 : 0;
    ++n_scored;
  }

  void write(CacheRecord& record) const {
    const auto n = static_cast<double>(n_scored);
    const double kl_mean = kl / n;
    const double variance = std::max(0.0, kl_squared / n - kl_mean * kl_mean);
    record.ppl = std::exp(-log_likelihood / n);
    record.kl_mean = kl_mean;
    record.kl_stderr = n_scored > 1 ? std::sqrt(variance / (n - 1)) : 0;
    record.same_top_percent = 100.0 * n_same_top / n;
    record.scored_tokens = n_scored;
  }
};

/// Row i of the logits that both contexts hold predicts targets[i].
void score(const host::Context& context, const host::Context& baseline,
           std::span<const host::Token> targets, int n_threads, Tally& tally) {
  const std::size_t n_vocab = context.n_vocab();
  std::vector<Divergence> found(targets.size());
  const auto work = [&](int thread) {
    for (std::size_t i = thread; i < found.size(); i += n_threads) {
      found[i] = compare(context.logits().subspan(i * n_vocab, n_vocab),
                         baseline.logits().subspan(i * n_vocab, n_vocab), targets[i]);
    }
  };
  std::vector<std::future<void>> others;
  for (int t = 1; t < n_threads; ++t) others.push_back(std::async(std::launch::async, work, t));
  work(0);
  for (std::future<void>& other : others) other.get();
  for (const Divergence& at : found) tally.add(at);
}

/// Decodes a window in all contexts, piece by piece, and compares each piece's predictions with
/// those of the first context, the baseline, at once: nothing grows with the text.
void score_window(const ComparisonCall& call, const Contexts& contexts, int window,
                  std::vector<Tally>& tallies) {
  const std::size_t length = call.window;
  const auto text = call.tokens.subspan(window * length, length);
  std::vector<host::Token> tokens(text.begin(), text.end());
  const host::Model& model = model_for(call, call.caches[0]);
  if (model.starts_with_bos()) tokens[0] = model.bos();
  for (const auto& context : contexts) context->clear();

  std::size_t n_tokens = 0;
  for (std::size_t at = 0; at < length; at += n_tokens) {
    const bool is_scored = at >= length / 2;
    const std::size_t most = is_scored ? contexts[0]->n_outputs() : contexts[0]->n_batch();
    n_tokens = std::min(most, (is_scored ? length : length / 2) - at);
    const auto piece = std::span(tokens).subspan(at, n_tokens);
    // The window's last token has no successor to predict.
    const auto targets = std::span(tokens).subspan(at + 1, std::min(n_tokens, length - 1 - at));
    for (std::size_t i = 0; i < contexts.size(); ++i) {
      contexts[i]->decode(piece, is_scored ? 0 : n_tokens);
      if (is_scored) score(*contexts[i], *contexts[0], targets, call.n_threads, tallies[i]);
      const double n_decoded = at + n_tokens * (i + 1.0) / contexts.size();
      call.progress("perplexity", (window + n_decoded / length) / call.n_windows);
    }
  }
}

/// What each cache does to the model's predictions. Afterwards each context holds the last window.
void add_quality(const ComparisonCall& call, const Contexts& contexts,
                 std::vector<CacheRecord>& records) {
  std::vector<Tally> tallies(contexts.size());
  for (int i = 0; i < call.n_windows; ++i) score_window(call, contexts, i, tallies);
  for (std::size_t i = 0; i < records.size(); ++i) {
    tallies[i].write(records[i]);
    records[i].ppl_change_percent = 100.0 * (*records[i].ppl / *records[0].ppl - 1.0);
    records[i].context = call.window;
  }
}

}  // namespace

Divergence compare(std::span<const float> logits, std::span<const float> baseline, int token) {
  Eigen::Index top = 0;
  Eigen::Index baseline_top = 0;
  const Eigen::ArrayXf log = relative_to_top(logits, top);
  const Eigen::ArrayXf baseline_log = relative_to_top(baseline, baseline_top);
  const Eigen::ArrayXf weights = baseline_log.exp();
  const double log_sum = std::log(sum(log.exp()));
  const double weight_sum = sum(weights);
  Divergence result;
  result.log_likelihood = static_cast<double>(logits[token]) - logits[top] - log_sum;
  // Σ p (ln p - ln q) with p = exp(b - max b) / Σ, q likewise: what the maxima add cancels.
  result.kl = sum(weights * (baseline_log - log)) / weight_sum + log_sum - std::log(weight_sum);
  result.same_top = top == baseline_top;
  if (!std::isfinite(result.log_likelihood) || !std::isfinite(result.kl)) {
    throw Error("the model's logits are not numbers (NaN or infinite)");
  }
  return result;
}

std::vector<CacheRecord> compare_caches(const ComparisonCall& call) {
  std::vector<CacheRecord> records = make_records(call);
  add_sizes(call, records);

  const bool is_timed = call.speed_rounds > 0;
  const SpeedCall speed{.tokens = call.tokens,
                        .depth = call.window,
                        .prompt_tokens = 256,
                        .rounds = call.speed_rounds,
                        .seconds_per_cache = 3,
                        .progress = call.progress};
  host::ContextOptions options;
  options.n_context = is_timed ? cells_for_speed(speed) : call.window;
  options.n_outputs = scored_at_once;
  const Contexts contexts = make_contexts(call, options);
  add_quality(call, contexts, records);
  if (is_timed) add_speeds(speed, measure_speed(contexts, speed), records);
  for (CacheRecord& record : records) record.peak_rss_bytes = host::peak_rss_bytes();
  return records;
}

}  // namespace kvsplit::measure
