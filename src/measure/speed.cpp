#include "measure/speed.h"

#include <algorithm>
#include <chrono>

namespace kvsplit::measure {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::span<const double> sorted) {
  const std::size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

class Run {
 public:
  Run(const Contexts& contexts, const SpeedCall& call)
      : contexts_(contexts), call_(call), speeds_(contexts.size()), seconds_(contexts.size()) {
    for (const auto& context : contexts_) {
      all_work_ += std::max(0, call_.depth - context->n_past());
      all_work_ += call_.rounds * (call_.prompt_tokens + work_of_single * call_.decode_tokens);
    }
  }

  std::vector<Speed> measure() {
    for (int round = 0; round < call_.rounds; ++round) {
      for (std::size_t turn = 0; turn < contexts_.size(); ++turn) {
        const std::size_t i = (turn + static_cast<std::size_t>(round)) % contexts_.size();
        if (round == 0 || call_.seconds_per_cache == 0 || seconds_[i] < call_.seconds_per_cache) {
          measure_once(i);
        }
      }
    }
    return std::move(speeds_);
  }

 private:
  static constexpr double work_of_single = 4;  ///< about, in tokens of a prompt

  void measure_once(std::size_t i) {
    const auto start = Clock::now();
    host::Context& context = *contexts_[i];
    if (call_.prompt_tokens > 0) speeds_[i].prompt.push_back(prompt_tps(context));
    if (call_.decode_tokens > 0) speeds_[i].decode.push_back(decode_tps(context));
    seconds_[i] += seconds_since(start);
  }

  double prompt_tps(host::Context& context) {
    go_to_depth(context);
    const auto start = Clock::now();
    decode_until(context, call_.depth + call_.prompt_tokens);
    return call_.prompt_tokens / seconds_since(start);
  }

  double decode_tps(host::Context& context) {
    go_to_depth(context);
    decode(context, 1);  // the first of a run builds a new graph
    const auto start = Clock::now();
    for (int i = 0; i < call_.decode_tokens; ++i) decode(context, 1);
    const double tps = call_.decode_tokens / seconds_since(start);
    report(work_of_single * call_.decode_tokens);
    return tps;
  }

  void go_to_depth(host::Context& context) {
    if (context.n_past() > call_.depth && !context.truncate(call_.depth)) context.clear();
    decode_until(context, call_.depth);
  }

  void decode_until(host::Context& context, int n_past) {
    while (context.n_past() < n_past) {
      const int n_tokens = std::min(context.n_batch(), n_past - context.n_past());
      decode(context, n_tokens);
      report(n_tokens);
    }
  }

  /// Logits of the last token, as a program that generates text takes them.
  void decode(host::Context& context, int n_tokens) {
    const auto from = static_cast<std::size_t>(context.n_past());
    std::vector<host::Token> tokens(static_cast<std::size_t>(n_tokens));
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = call_.tokens[(from + i) % call_.tokens.size()];
    }
    context.decode(tokens, tokens.size() - 1);
  }

  void report(double work) {
    work_ += work;
    if (call_.progress) call_.progress("speed", std::min(1.0, work_ / all_work_));
  }

  const Contexts& contexts_;
  const SpeedCall& call_;
  std::vector<Speed> speeds_;
  std::vector<double> seconds_;  ///< that each context has taken
  double all_work_ = 0, work_ = 0;
};

}  // namespace

int cells_for_speed(const SpeedCall& call) {
  return call.depth + std::max(call.prompt_tokens, call.decode_tokens + 1);
}

std::vector<Speed> measure_speed(const Contexts& contexts, const SpeedCall& call) {
  return Run(contexts, call).measure();
}

void add_speeds(const SpeedCall& call, std::span<const Speed> speeds,
                std::span<CacheRecord> records) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Speed& speed = speeds[i];
    CacheRecord& record = records[i];
    record.depth = call.depth;
    record.prompt_tokens = call.prompt_tokens;
    record.decode_tokens = call.decode_tokens;
    record.speed_rounds = static_cast<int>(std::max(speed.prompt.size(), speed.decode.size()));
    if (!speed.prompt.empty()) record.prompt = rate(speed.prompt, speeds[0].prompt);
    if (!speed.decode.empty()) record.decode = rate(speed.decode, speeds[0].decode);
  }
}

Rate rate(std::span<const double> rounds, std::span<const double> baseline) {
  std::vector<double> sorted(rounds.begin(), rounds.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<double> ratios(std::min(rounds.size(), baseline.size()));
  for (std::size_t i = 0; i < ratios.size(); ++i) ratios[i] = rounds[i] / baseline[i];
  std::sort(ratios.begin(), ratios.end());
  return {median(sorted), sorted.front(), sorted.back(), median(ratios)};
}

}  // namespace kvsplit::measure
