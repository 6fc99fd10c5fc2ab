#include "measure/speed.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "host/process.h"

namespace kvsplit::measure {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Run {
 public:
  Run(const Contexts& contexts, const SpeedCall& call)
      : contexts_(contexts), call_(call), speeds_(contexts.size()) {
    for (const auto& context : contexts_) {
      n_tokens_ += std::max(0, call_.depth - context->n_past());
      n_tokens_ += call_.rounds * (call_.prompt_tokens + call_.decode_tokens);
    }
  }

  std::vector<Speed> measure() {
    for (int round = 0; round < call_.rounds; ++round) {
      for (std::size_t turn = 0; turn < contexts_.size(); ++turn) {
        const std::size_t i = (turn + round) % contexts_.size();
        const bool is_slow =
            call_.seconds_per_cache > 0 && speeds_[i].seconds >= call_.seconds_per_cache;
        if (round == 0 || !is_slow) measure_once(*contexts_[i], speeds_[i]);
      }
    }
    return std::move(speeds_);
  }

 private:
  void measure_once(host::Context& context, Speed& speed) {
    const auto start = Clock::now();
    if (call_.prompt_tokens > 0) {
      go_to_depth(context);
      speed.prompt.push_back(tokens_per_second(context, call_.prompt_tokens, context.n_batch()));
    }
    if (call_.decode_tokens > 0) {
      go_to_depth(context);
      decode(context, 1, 1);  // the first of a run builds a new graph
      speed.decode.push_back(tokens_per_second(context, call_.decode_tokens, 1));
    }
    speed.seconds += seconds_since(start);
  }

  void go_to_depth(host::Context& context) {
    if (context.n_past() > call_.depth && !context.truncate(call_.depth)) context.clear();
    decode(context, call_.depth - context.n_past(), context.n_batch());
  }

  double tokens_per_second(host::Context& context, int n_tokens, int n_at_once) {
    const auto start = Clock::now();
    decode(context, n_tokens, n_at_once);
    return n_tokens / seconds_since(start);
  }

  /// With logits of the last token each time, as a program that generates text takes them.
  void decode(host::Context& context, int n_tokens, int n_at_once) {
    for (const int end = context.n_past() + n_tokens; context.n_past() < end;) {
      const int from = context.n_past();
      std::vector<host::Token> tokens(std::min(n_at_once, end - from));
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        tokens[i] = call_.tokens[(from + i) % call_.tokens.size()];
      }
      context.decode(tokens, tokens.size() - 1);
      n_decoded_ += tokens.size();
      call_.progress(call_.what, std::min(1.0, n_decoded_ / n_tokens_));
    }
  }

  const Contexts& contexts_;
  const SpeedCall& call_;
  std::vector<Speed> speeds_;
  double n_tokens_ = 0, n_decoded_ = 0;
};

double median(std::vector<double> sorted) {
  std::ranges::sort(sorted);
  return (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]) / 2;
}

/// The same ones in every run. BOS first where the model wants it, as llama-bench has it.
std::vector<host::Token> random_tokens(const host::Model& model, int n_tokens) {
  std::mt19937 generator(1);
  std::uniform_int_distribution<host::Token> any(0, model.n_vocab() - 1);
  std::vector<host::Token> tokens(n_tokens);
  for (host::Token& token : tokens) token = any(generator);
  if (model.starts_with_bos()) tokens[0] = model.bos();
  return tokens;
}

/// One round that does not count: the first one pays for memory that nobody has touched yet.
void warm_up(const Contexts& contexts, SpeedCall speed) {
  speed.rounds = 1;
  speed.decode_tokens = std::min(speed.decode_tokens, 1);
  speed.what = "warming up";
  measure_speed(contexts, speed);
}

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
  std::vector<double> ratios(std::min(rounds.size(), baseline.size()));
  for (std::size_t i = 0; i < ratios.size(); ++i) ratios[i] = rounds[i] / baseline[i];
  const auto [min, max] = std::ranges::minmax(rounds);
  return {median({rounds.begin(), rounds.end()}), min, max, median(ratios)};
}

std::vector<CacheRecord> bench_caches(const BenchCall& call) {
  SpeedCall speed = call.speed;
  speed.progress = call.progress;
  speed.depth = call.depths.back();
  const int n_cells = cells_for_speed(speed);
  const Contexts contexts =
      make_contexts(call, {.n_context = n_cells, .n_batch = 2048, .n_outputs = 1});
  const auto tokens = random_tokens(model_for(call, call.caches[0]), n_cells);
  speed.tokens = tokens;

  std::vector<CacheRecord> records;
  for (const int depth : call.depths) {
    speed.depth = depth;
    if (records.empty()) warm_up(contexts, speed);
    speed.what = fmt::format("depth {}", depth);
    std::vector<CacheRecord> at_depth = make_records(call);
    add_speeds(speed, measure_speed(contexts, speed), at_depth);
    records.insert(records.end(), at_depth.begin(), at_depth.end());
  }
  for (CacheRecord& record : records) record.peak_rss_bytes = host::peak_rss_bytes();
  return records;
}

}  // namespace kvsplit::measure
