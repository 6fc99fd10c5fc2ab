#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>

#include "cache/cache_table.h"

namespace kvsplit {

/// What programs are told about caches that come into use together, and their summary:
/// {"event": "cache", "precision", "k_bytes", "v_bytes", "fp16_bytes", "packed", "unpacked",
///  "tensors": [{"layer", "side": "k" or "v", "bytes", "cells", "numbers"}, …]}
nlohmann::ordered_json event_of(const CacheSummary& summary,
                                std::span<const HostedTensor* const> caches);

}  // namespace kvsplit
