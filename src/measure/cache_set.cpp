#include "measure/cache_set.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "host/process.h"
#include "kernels/attend.h"
#include "kvsplit_build_config.h"

namespace kvsplit::measure {
namespace {

// What llama.cpp's programs use. The caches of sliding-window layers have room for one.
constexpr int usual_batch = 512;

host::ContextOptions options_for(int n_context, const host::CacheChoice& choice) {
  return {.cache = choice, .n_context = n_context, .n_batch = usual_batch, .n_outputs = 1};
}

host::CacheSize allocate(const host::Model& model, int n_context, const host::CacheChoice& choice) {
  return host::Context(model, options_for(n_context, choice)).cache_size();
}

}  // namespace

const host::Model& model_for(const CacheSet& set, const host::CacheChoice& cache) {
  return *(cache.is_packed ? set.packed : set.stock);
}

Setting describe_setting(const CacheSet& set) {
  return {
      .model = model_for(set, set.caches[0]).name(),
      .kvsplit = build_config::version,
      .llama_cpp = build_config::llama_cpp_version,
      .ggml = build_config::ggml_version,
      .cpu = host::processor_name(),
      .kernels = kernels().name,
      .threads = set.n_threads,
      .date = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))),
  };
}

std::vector<CacheRecord> make_records(const CacheSet& set) {
  CacheRecord record;
  record.setting = describe_setting(set);
  std::vector<CacheRecord> records;
  for (const host::CacheChoice& cache : set.caches) {
    record.cache = cache.name();
    record.engine = cache.is_packed ? "kvsplit" : "stock";
    record.device = model_for(set, cache).device();
    record.k_bits = cache.k_bits();
    record.v_bits = cache.v_bits();
    records.push_back(record);
  }
  return records;
}

Contexts make_contexts(const CacheSet& set, host::ContextOptions options) {
  options.n_threads = set.n_threads;
  Contexts contexts;
  for (const host::CacheChoice& cache : set.caches) {
    options.cache = cache;
    contexts.push_back(std::make_unique<host::Context>(model_for(set, cache), options));
  }
  return contexts;
}

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

std::uint64_t peak_rss_alone(const CacheSet& set, const host::CacheChoice& cache,
                             std::span<const host::Token> tokens) {
  host::forget_peak_rss();
  host::ContextOptions options = options_for(static_cast<int>(tokens.size()), cache);
  options.n_threads = set.n_threads;
  host::Context context(model_for(set, cache), options);
  while (!tokens.empty()) {
    const auto piece = tokens.first(std::min<std::size_t>(usual_batch, tokens.size()));
    context.decode(piece, piece.size() - 1);
    tokens = tokens.subspan(piece.size());
  }
  return host::peak_rss_bytes();
}

host::Footprint footprint(const host::Model& model, int n_context, const host::CacheChoice& cache) {
  return host::footprint(model, options_for(n_context, cache));
}

host::Footprint longest_context(const host::Model& model, const host::CacheChoice& cache,
                                std::uint64_t most_bytes) {
  constexpr int step = 256;  // of llama.cpp's contexts
  host::Footprint longest;
  int too_long = model.n_context() / step + 1;
  while (longest.n_context / step + 1 < too_long) {
    const int steps = (longest.n_context / step + too_long) / 2;
    const host::Footprint tried = footprint(model, steps * step, cache);
    if (tried.bytes() > most_bytes) {
      too_long = steps;
    } else {
      longest = tried;
    }
  }
  return longest;
}

}  // namespace kvsplit::measure
