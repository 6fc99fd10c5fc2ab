#include "measure/comparison.h"

#include "base/error.h"
#include "host/process.h"
#include "measure/quality.h"
#include "measure/size.h"
#include "measure/speed.h"

namespace kvsplit::measure {
namespace {

SpeedCall speed_call(const ComparisonCall& call) {
  SpeedCall speed;
  speed.tokens = call.tokens;
  speed.depth = call.window;
  speed.rounds = call.speed_rounds;
  speed.seconds_per_cache = 4;
  speed.progress = call.progress;
  return speed;
}

Contexts make_contexts_for(const ComparisonCall& call) {
  host::ContextOptions options;
  options.n_context = call.speed_rounds > 0 ? cells_for_speed(speed_call(call)) : call.window;
  options.n_outputs = piece_tokens(model_for(call, call.caches[0]).n_vocab());
  return make_contexts(call, options);
}

QualityCall quality_call(const ComparisonCall& call) {
  const host::Model& model = model_for(call, call.caches[0]);
  QualityCall quality;
  quality.tokens = call.tokens;
  quality.window = call.window;
  quality.n_windows = call.n_windows;
  quality.starts_with_bos = model.starts_with_bos();
  quality.bos = model.bos();
  quality.n_threads = call.n_threads;
  quality.progress = call.progress;
  return quality;
}

/// Where the memory for a cache of the whole context cannot be had, a smaller one is measured; the
/// record says which.
void add_sizes(const ComparisonCall& call, std::vector<CacheRecord>& records) {
  if (call.packed == nullptr) return;
  int n_context = call.size_context > 0 ? call.size_context : call.window;
  std::vector<host::CacheSize> sizes;
  while (sizes.empty()) {
    try {
      sizes = measure_sizes(*call.packed, n_context, call.caches);
    } catch (const Error&) {
      if (n_context / 2 < call.window) throw;
      n_context /= 2;
    }
  }
  for (std::size_t i = 0; i < records.size(); ++i) {
    const host::CacheSize& size = sizes[i];
    records[i].kv_bytes = size.bytes();
    records[i].kv_context = n_context;
    const auto all_in = [](std::size_t bytes, std::size_t numbers) {
      return 8.0 * static_cast<double>(bytes) / static_cast<double>(numbers);
    };
    if (size.k_numbers > 0) records[i].k_bits_all_in = all_in(size.k_bytes, size.k_numbers);
    if (size.v_numbers > 0) records[i].v_bits_all_in = all_in(size.v_bytes, size.v_numbers);
  }
}

void add_quality(const ComparisonCall& call, const Contexts& contexts,
                 std::vector<CacheRecord>& records) {
  const std::vector<Quality> found = measure_quality(contexts, quality_call(call));
  for (std::size_t i = 0; i < records.size(); ++i) {
    records[i].ppl = found[i].ppl;
    records[i].ppl_change_percent = 100.0 * (found[i].ppl / found[0].ppl - 1.0);
    records[i].kl_mean = found[i].kl_mean;
    records[i].kl_stderr = found[i].kl_stderr;
    records[i].same_top_percent = found[i].same_top_percent;
    records[i].scored_tokens = found[i].scored_tokens;
    records[i].context = call.window;
  }
}

}  // namespace

std::vector<CacheRecord> compare_caches(const ComparisonCall& call) {
  std::vector<CacheRecord> records = make_records(call);
  add_sizes(call, records);
  const Contexts contexts = make_contexts_for(call);
  add_quality(call, contexts, records);
  if (call.speed_rounds > 0) {
    const SpeedCall speed = speed_call(call);
    add_speeds(speed, measure_speed(contexts, speed), records);
  }
  for (CacheRecord& record : records) record.peak_rss_bytes = host::peak_rss_bytes();
  return records;
}

}  // namespace kvsplit::measure
