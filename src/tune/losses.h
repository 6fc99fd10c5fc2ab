#pragma once

#include <map>
#include <string>
#include <vector>

#include "measure/comparison.h"

namespace kvsplit::tune {

/// Mean KL by the cache's name.
using Losses = std::map<std::string, double>;

/// Which of several processes that share the work this is; MPI's launchers say so.
struct Share {
  int process = 0, n_processes = 1;
};
Share share_of_environment();

/// Measures what caches lose on the call's text, beside 16 bits. Each result is written to `file`
/// at once, so that a search that was stopped goes on, and processes that see the same file find
/// what the others did: each measures its share and waits for the rest. `search` says what the
/// results depend on; a file of another search is begun anew. Error: the file cannot be written,
/// or what compare_caches() throws.
Losses measure_losses(measure::ComparisonCall call, const std::vector<host::CacheChoice>& caches,
                      const std::string& file, const std::string& search, Share share);

}  // namespace kvsplit::tune
