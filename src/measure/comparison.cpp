#include "measure/comparison.h"

#include "base/error.h"
#include "host/process.h"
#include "measure/quality.h"
#include "measure/size.h"
#include "measure/speed.h"

namespace kvsplit::measure {
namespace {

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

}  // namespace

int windows_in(std::size_t n_tokens, int window) {
  return static_cast<int>(n_tokens / static_cast<std::size_t>(window));
}

std::vector<CacheRecord> compare_caches(const ComparisonCall& call) {
  std::vector<CacheRecord> records = make_records(call);
  add_sizes(call, records);

  const bool is_timed = call.speed_rounds > 0;
  SpeedCall speed;
  speed.tokens = call.tokens;
  speed.depth = call.window;
  speed.rounds = call.speed_rounds;
  speed.seconds_per_cache = 4;
  speed.progress = call.progress;
  host::ContextOptions options;
  options.n_context = is_timed ? cells_for_speed(speed) : call.window;
  options.n_outputs = piece_tokens(model_for(call, call.caches[0]).n_vocab());
  const Contexts contexts = make_contexts(call, options);
  add_quality(call, contexts, records);
  if (is_timed) add_speeds(speed, measure_speed(contexts, speed), records);
  for (CacheRecord& record : records) record.peak_rss_bytes = host::peak_rss_bytes();
  return records;
}

}  // namespace kvsplit::measure
