#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/context.h"
#include "host/model.h"
#include "measure/results.h"

namespace kvsplit::measure {

/// Called every second or so while something is measured: what, and how much of it is done (0 … 1).
using Progress = std::function<void(const std::string& what, double done)>;
inline void no_progress(const std::string& /*what*/, double /*done*/) {}

/// Caches that are measured side by side, and the models that they are made on.
struct CacheSet {
  const host::Model* packed = nullptr;  ///< the model on KVSPLIT, for caches of kvsplit; or null
  const host::Model* stock = nullptr;   ///< … and elsewhere, for llama.cpp's own; or null
  std::span<const host::CacheChoice> caches;  ///< the first is the baseline
  int n_threads = 1;
  Progress progress = no_progress;
};

/// The one that the cache is made on.
const host::Model& model_for(const CacheSet& set, const host::CacheChoice& cache);

/// What is known before anything is measured, for a heading.
Setting describe_setting(const CacheSet& set);

/// One record per cache that says what it is of and nothing else yet.
std::vector<CacheRecord> make_records(const CacheSet& set);

using Contexts = std::vector<std::unique_ptr<host::Context>>;

/// One per cache, all alive at once. `options`: all but the cache and the threads.
Contexts make_contexts(const CacheSet& set, host::ContextOptions options);

/// Allocates a cache of each choice for n_context tokens, one after the other, and says what each
/// took. `model` is on KVSPLIT. llama.cpp's own types take what their blocks of the same numbers
/// take. Error: there is not enough memory.
std::vector<host::CacheSize> measure_sizes(const host::Model& model, int n_context,
                                           std::span<const host::CacheChoice> choices);

/// Most memory that the process has resident, the model included, while a context of this cache
/// alone reads the tokens.
std::uint64_t peak_rss_alone(const CacheSet& set, const host::CacheChoice& cache,
                             std::span<const host::Token> tokens);

/// What a context of one text takes with this cache of kvsplit, made as llama.cpp's programs make
/// it. `model` is a ModelForm::header. Error: as for host::Context.
host::Footprint footprint(const host::Model& model, int n_context, const host::CacheChoice& cache);

/// That of the longest context with at most so many bytes, up to what the model was made for;
/// n_context 0: none is short enough.
host::Footprint longest_context(const host::Model& model, const host::CacheChoice& cache,
                                std::uint64_t most_bytes);

}  // namespace kvsplit::measure
