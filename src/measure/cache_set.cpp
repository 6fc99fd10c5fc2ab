#include "measure/cache_set.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <filesystem>

#include "host/process.h"
#include "kernels/attend.h"
#include "kvsplit_build_config.h"

namespace kvsplit::measure {

const host::Model& model_for(const CacheSet& set, const host::CacheChoice& cache) {
  return *(cache.is_packed ? set.packed : set.stock);
}

Setting describe_setting(const CacheSet& set) {
  const std::filesystem::path file = model_for(set, set.caches[0]).file();
  return {
      .model = file.filename().string(),
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

}  // namespace kvsplit::measure
