#include "measure/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "host/process.h"

namespace kvsplit::measure {
namespace {

/// The same ones in every run. BOS first where the model wants it, as llama-bench has it.
std::vector<host::Token> random_tokens(const host::Model& model, int n_tokens) {
  std::mt19937 generator(1);
  std::uniform_int_distribution<host::Token> any(0, model.n_vocab() - 1);
  std::vector<host::Token> tokens(static_cast<std::size_t>(n_tokens));
  for (host::Token& token : tokens) token = any(generator);
  if (model.starts_with_bos()) tokens[0] = model.bos();
  return tokens;
}

/// One round that does not count: the first one pays for memory that nobody has touched yet.
void warm_up(const Contexts& contexts, const Progress& progress, SpeedCall speed) {
  speed.rounds = 1;
  speed.decode_tokens = std::min(speed.decode_tokens, 1);
  speed.progress = [&](const std::string&, double done) {
    if (progress) progress("warming up", done);
  };
  measure_speed(contexts, speed);
}

}  // namespace

std::vector<CacheRecord> bench_caches(const BenchCall& call) {
  SpeedCall speed = call.speed;
  speed.depth = call.depths.back();
  host::ContextOptions options;
  options.n_context = cells_for_speed(speed);
  options.n_batch = 2048;
  options.n_outputs = 1;
  const Contexts contexts = make_contexts(call, options);
  const std::vector<host::Token> tokens =
      random_tokens(model_for(call, call.caches[0]), options.n_context);
  speed.tokens = tokens;

  std::vector<CacheRecord> records;
  for (const int depth : call.depths) {
    speed.depth = depth;
    if (records.empty()) warm_up(contexts, call.progress, speed);
    speed.progress = [&](const std::string&, double done) {
      if (call.progress) call.progress(fmt::format("depth {}", depth), done);
    };
    std::vector<CacheRecord> at_depth = make_records(call);
    add_speeds(speed, measure_speed(contexts, speed), at_depth);
    records.insert(records.end(), at_depth.begin(), at_depth.end());
  }
  for (CacheRecord& record : records) record.peak_rss_bytes = host::peak_rss_bytes();
  return records;
}

}  // namespace kvsplit::measure
