#include "measure/size.h"

#include <algorithm>

namespace kvsplit::measure {
namespace {

// What llama.cpp's programs use. The caches of sliding-window layers have room for one.
constexpr int usual_batch = 512;

host::CacheSize allocate(const host::Model& model, int n_context, const host::CacheChoice& choice) {
  host::ContextOptions options;
  options.cache = choice;
  options.n_context = n_context;
  options.n_batch = usual_batch;
  options.n_outputs = 1;
  return host::Context(model, options).cache_size();
}

}  // namespace

std::vector<host::CacheSize> measure_sizes(const host::Model& model, int n_context,
                                           std::span<const host::CacheChoice> choices) {
  std::vector<host::CacheSize> sizes;
  host::CacheSize held;  // the same numbers whatever their bits
  for (const host::CacheChoice& choice : choices) {
    if (choice.engine == host::Engine::kvsplit) {
      held = allocate(model, n_context, choice);
      sizes.push_back(held);
    } else {
      if (held.k_numbers == 0) held = allocate(model, n_context, host::kvsplit_cache({16, 16}));
      sizes.push_back(host::stock_cache_size(choice, held));
    }
  }
  return sizes;
}

CacheCost measure_cost(const host::Model& model, const host::CacheChoice& choice) {
  // Two contexts beyond any sliding window (which llama.cpp keeps a batch longer): the line
  // through them is exact, as long as memory grows by the token.
  constexpr int step = 4096;
  const int window = model.facts().sliding_window + usual_batch;
  const int lower = step * (window / step + 1);
  const auto at_lower = static_cast<double>(allocate(model, lower, choice).bytes());
  const auto at_upper = static_cast<double>(allocate(model, lower + step, choice).bytes());
  CacheCost cost;
  cost.bytes_per_token = (at_upper - at_lower) / step;
  cost.fixed_bytes = at_lower - cost.bytes_per_token * lower;
  return cost;
}

}  // namespace kvsplit::measure
