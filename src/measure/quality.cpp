#include "measure/quality.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <thread>

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

  Quality quality() const {
    const auto n = static_cast<double>(n_scored);
    Quality result;
    result.ppl = std::exp(-log_likelihood / n);
    result.kl_mean = kl / n;
    const double variance = std::max(0.0, kl_squared / n - result.kl_mean * result.kl_mean);
    result.kl_stderr = n_scored > 1 ? std::sqrt(variance / (n - 1)) : 0;
    result.same_top_percent = 100.0 * static_cast<double>(n_same_top) / n;
    result.scored_tokens = n_scored;
    return result;
  }
};

/// Calls f(i) for 0 <= i < n on several threads; the first exception is passed on.
template <class Function>
void parallel_for(std::size_t n, int n_threads, const Function& f) {
  std::atomic<std::size_t> next = 0;
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(std::max(1, n_threads)));
  const auto work = [&](std::exception_ptr& failure) {
    try {
      for (std::size_t i = next++; i < n; i = next++) f(i);
    } catch (...) {
      failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 1; t < failures.size(); ++t) {
      threads.emplace_back([&work, &failures, t] { work(failures[t]); });
    }
    work(failures[0]);
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

/// The rows of logits of one piece: row i predicts targets[i].
struct Piece {
  std::span<const host::Token> targets;
  std::size_t n_vocab;

  std::span<const float> row(std::span<const float> logits, std::size_t i) const {
    return logits.subspan(i * n_vocab, n_vocab);
  }
};

void score(const Piece& piece, std::span<const float> logits, std::span<const float> baseline,
           int n_threads, Tally& tally) {
  std::vector<Divergence> found(piece.targets.size());
  parallel_for(found.size(), n_threads, [&](std::size_t i) {
    const int token = piece.targets[i];
    const std::span<const float> row = piece.row(logits, i);
    found[i] = logits.data() == baseline.data() ? Divergence{log_likelihood(row, token), 0.0, true}
                                                : compare(row, piece.row(baseline, i), token);
  });
  for (const Divergence& at : found) tally.add(at);
}

class Run {
 public:
  Run(std::span<const std::unique_ptr<host::Context>> contexts, const QualityCall& call)
      : contexts_(contexts), call_(call), tallies_(contexts.size()) {}

  std::vector<Quality> measure() {
    for (int window = 0; window < call_.n_windows; ++window) decode_window(window);
    std::vector<Quality> results;
    for (const Tally& tally : tallies_) results.push_back(tally.quality());
    return results;
  }

 private:
  void decode_window(int window) {
    const auto length = static_cast<std::size_t>(call_.window);
    const auto text = call_.tokens.subspan(static_cast<std::size_t>(window) * length, length);
    std::vector<host::Token> tokens(text.begin(), text.end());
    if (call_.starts_with_bos) tokens[0] = call_.bos;
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
    for (std::size_t i = 0; i < contexts_.size(); ++i) {
      contexts_[i]->decode(tokens.subspan(at, n), is_scored ? 0 : n);
      if (is_scored) {
        const Piece piece{tokens.subspan(at + 1, n_targets),
                          static_cast<std::size_t>(contexts_[i]->n_vocab())};
        score(piece, contexts_[i]->logits(), contexts_[0]->logits(), call_.n_threads, tallies_[i]);
      }
      n_decoded_ += n;
      report();
    }
  }

  void report() const {
    if (!call_.progress) return;
    const double total =
        static_cast<double>(call_.window) * call_.n_windows * static_cast<double>(contexts_.size());
    call_.progress("perplexity", static_cast<double>(n_decoded_) / total);
  }

  std::span<const std::unique_ptr<host::Context>> contexts_;
  const QualityCall& call_;
  std::vector<Tally> tallies_;
  std::size_t n_decoded_ = 0;
};

}  // namespace

int windows_in(std::size_t n_tokens, int window) {
  return static_cast<int>(n_tokens / static_cast<std::size_t>(window));
}

std::vector<Quality> measure_quality(std::span<const std::unique_ptr<host::Context>> contexts,
                                     const QualityCall& call) {
  return Run(contexts, call).measure();
}

int piece_tokens(int n_vocab) {
  constexpr std::int64_t most_bytes = 32 << 20;
  const std::int64_t row_bytes = static_cast<std::int64_t>(sizeof(float)) * n_vocab;
  return static_cast<int>(std::clamp<std::int64_t>(most_bytes / row_bytes, 32, 128));
}

}  // namespace kvsplit::measure
