#pragma once

#include <span>
#include <vector>

#include "host/context.h"

namespace kvsplit::measure {

/// Allocates a cache of each choice for n_context tokens, one after the other, and says what each
/// took. `model` is on KVSPLIT. llama.cpp's own types take what their blocks of the same numbers
/// take. Error: there is not enough memory.
std::vector<host::CacheSize> measure_sizes(const host::Model& model, int n_context,
                                           std::span<const host::CacheChoice> choices);

/// What a cache costs: a part that grows with the context, and one that does not (the caches of
/// sliding-window layers are full after a few hundred tokens).
struct CacheCost {
  double bytes_per_token = 0;
  double fixed_bytes = 0;
};
CacheCost measure_cost(const host::Model& model, const host::CacheChoice& choice);

}  // namespace kvsplit::measure
