#include "measure/speed.h"

#include <algorithm>
#include <chrono>

namespace kvsplit::measure {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// Times of one cache.
struct Samples {
  std::vector<double> prompt_tps, decode_tps;
  double seconds = 0;

  Speed speed() const { return {median(prompt_tps), median(decode_tps)}; }
};

/// Tokens from the text's start on, as often as needed.
std::vector<host::Token> take(std::span<const host::Token> text, int n_tokens) {
  std::vector<host::Token> tokens(static_cast<std::size_t>(n_tokens));
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = text[i % text.size()];
  return tokens;
}

void fill(host::Context& context, const SpeedCall& call) {
  if (context.n_past() > call.depth) context.truncate(call.depth);
  while (context.n_past() < call.depth) {
    const int n = std::min(context.n_batch(), call.depth - context.n_past());
    context.decode(take(call.tokens, n), static_cast<std::size_t>(n));
  }
}

void measure_once(host::Context& context, const SpeedCall& call, Samples& samples) {
  const auto total_start = Clock::now();
  fill(context, call);

  const std::vector<host::Token> prompt = take(call.tokens, call.prompt_tokens);
  const auto batch = static_cast<std::size_t>(context.n_batch());
  const auto prompt_start = Clock::now();
  for (std::size_t at = 0; at < prompt.size(); at += batch) {
    const std::size_t n = std::min(batch, prompt.size() - at);
    context.decode(std::span(prompt).subspan(at, n), n - 1);
  }
  samples.prompt_tps.push_back(call.prompt_tokens / seconds_since(prompt_start));
  context.truncate(call.depth);

  const std::vector<host::Token> tokens = take(call.tokens, call.decode_tokens + 1);
  context.decode(std::span(tokens).first(1), 0);  // the first of a run builds a new graph
  const auto decode_start = Clock::now();
  for (std::size_t i = 1; i < tokens.size(); ++i) {
    context.decode(std::span(tokens).subspan(i, 1), 0);
  }
  samples.decode_tps.push_back(call.decode_tokens / seconds_since(decode_start));
  context.truncate(call.depth);
  samples.seconds += seconds_since(total_start);
}

}  // namespace

int cells_for_speed(const SpeedCall& call) {
  return call.depth + std::max(call.prompt_tokens, call.decode_tokens + 1);
}

std::vector<Speed> measure_speed(std::span<const std::unique_ptr<host::Context>> contexts,
                                 const SpeedCall& call) {
  std::vector<Samples> samples(contexts.size());
  const auto total = static_cast<double>(contexts.size()) * call.rounds;
  double done = 0;
  for (int round = 0; round < call.rounds; ++round) {
    for (std::size_t i = 0; i < contexts.size(); ++i) {
      if (round == 0 || samples[i].seconds < call.seconds_per_cache) {
        measure_once(*contexts[i], call, samples[i]);
      }
      if (call.progress) call.progress("speed", ++done / total);
    }
  }
  std::vector<Speed> speeds;
  speeds.reserve(samples.size());
  for (const Samples& of_context : samples) speeds.push_back(of_context.speed());
  return speeds;
}

}  // namespace kvsplit::measure
