#include "measure/size.h"

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
  for (const host::CacheChoice& choice : choices) {
    if (choice.is_packed) {
      sizes.push_back(allocate(model, n_context, choice));
      continue;
    }
    // Any cache holds the same numbers, whatever their bits.
    host::CacheSize size =
        sizes.empty() ? allocate(model, n_context, host::kvsplit_cache({16, 16})) : sizes[0];
    size.k_bytes = ggml_row_size(choice.k_type, size.k_numbers);
    size.v_bytes = ggml_row_size(choice.v_type, size.v_numbers);
    sizes.push_back(size);
  }
  return sizes;
}

CacheCost measure_cost(const host::Model& model, const host::CacheChoice& choice) {
  // Two contexts beyond any sliding window (which llama.cpp keeps a batch longer): the line
  // through them is exact, as long as memory grows by the token.
  constexpr int step = 4096;
  const int window = model.facts().sliding_window + usual_batch;
  const int lower = step * (window / step + 1);
  const double at_lower = allocate(model, lower, choice).bytes();
  const double at_upper = allocate(model, lower + step, choice).bytes();
  const double bytes_per_token = (at_upper - at_lower) / step;
  return {bytes_per_token, at_lower - bytes_per_token * lower};
}

}  // namespace kvsplit::measure
