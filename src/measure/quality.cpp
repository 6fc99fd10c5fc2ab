#include "measure/quality.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <future>

#include "measure/distribution.h"

namespace kvsplit::measure {
namespace {

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
    record.same_top_percent = 100.0 * static_cast<double>(n_same_top) / n;
    record.scored_tokens = n_scored;
  }
};

/// Calls f(i) for 0 <= i < n on several threads; an exception is passed on.
template <class Function>
void parallel_for(std::size_t n, int n_threads, const Function& f) {
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < n; i = next++) f(i);
  };
  std::vector<std::future<void>> others;
  for (int t = 1; t < n_threads; ++t) others.push_back(std::async(std::launch::async, work));
  work();
  for (std::future<void>& other : others) other.get();
}

class Run {
 public:
  Run(const ComparisonCall& call, const Contexts& contexts)
      : call_(call), contexts_(contexts), tallies_(contexts.size()) {}

  std::vector<Tally> measure() {
    for (int window = 0; window < call_.n_windows; ++window) decode_window(window);
    return std::move(tallies_);
  }

 private:
  void decode_window(int window) {
    const auto length = static_cast<std::size_t>(call_.window);
    const auto text = call_.tokens.subspan(static_cast<std::size_t>(window) * length, length);
    std::vector<host::Token> tokens(text.begin(), text.end());
    const host::Model& model = model_for(call_, call_.caches[0]);
    if (model.starts_with_bos()) tokens[0] = model.bos();
    for (const auto& context : contexts_) context->clear();

    const std::size_t first_scored = length / 2;
    const host::Context& any = *contexts_[0];
    for (std::size_t at = 0; at < length;) {
      const bool is_scored = at >= first_scored;
      const std::size_t end = is_scored ? length : first_scored;
      const int most = is_scored ? any.n_outputs() : any.n_batch();
      const std::size_t n = std::min(end - at, static_cast<std::size_t>(most));
      decode_piece(tokens, at, n, is_scored);
      at += n;
    }
  }

  void decode_piece(std::span<const host::Token> tokens, std::size_t at, std::size_t n,
                    bool is_scored) {
    // The window's last token has no successor to predict.
    const std::size_t n_targets = std::min(n, tokens.size() - 1 - at);
    const double total =
        static_cast<double>(call_.window) * call_.n_windows * static_cast<double>(contexts_.size());
    for (std::size_t i = 0; i < contexts_.size(); ++i) {
      contexts_[i]->decode(tokens.subspan(at, n), is_scored ? 0 : n);
      if (is_scored) score(i, tokens.subspan(at + 1, n_targets));
      n_decoded_ += n;
      if (call_.progress) call_.progress("perplexity", static_cast<double>(n_decoded_) / total);
    }
  }

  /// Row i of the logits in context `of` predicts targets[i].
  void score(std::size_t of, std::span<const host::Token> targets) {
    const auto n_vocab = static_cast<std::size_t>(contexts_[of]->n_vocab());
    const std::span<const float> logits = contexts_[of]->logits();
    const std::span<const float> baseline = contexts_[0]->logits();
    std::vector<Divergence> found(targets.size());
    parallel_for(found.size(), call_.n_threads, [&](std::size_t i) {
      const auto row = logits.subspan(i * n_vocab, n_vocab);
      found[i] = of == 0 ? Divergence{log_likelihood(row, targets[i]), 0.0, true}
                         : compare(row, baseline.subspan(i * n_vocab, n_vocab), targets[i]);
    });
    for (const Divergence& at : found) tallies_[of].add(at);
  }

  const ComparisonCall& call_;
  const Contexts& contexts_;
  std::vector<Tally> tallies_;
  std::size_t n_decoded_ = 0;
};

}  // namespace

void add_quality(const ComparisonCall& call, const Contexts& contexts,
                 std::span<CacheRecord> records) {
  const std::vector<Tally> tallies = Run(call, contexts).measure();
  for (std::size_t i = 0; i < records.size(); ++i) {
    tallies[i].write(records[i]);
    records[i].ppl_change_percent = 100.0 * (*records[i].ppl / *records[0].ppl - 1.0);
    records[i].context = call.window;
  }
}

int piece_tokens(int n_vocab) {
  constexpr std::int64_t most_bytes = 32 << 20;
  const std::int64_t row_bytes = static_cast<std::int64_t>(sizeof(float)) * n_vocab;
  return static_cast<int>(std::clamp<std::int64_t>(most_bytes / row_bytes, 32, 128));
}

}  // namespace kvsplit::measure
