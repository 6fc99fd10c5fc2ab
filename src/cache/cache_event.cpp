#include "cache/cache_event.h"

#include <nlohmann/json.hpp>

namespace kvsplit {

nlohmann::ordered_json event_of(const CacheSummary& summary,
                                std::span<const HostedTensor* const> caches) {
  auto tensors = nlohmann::ordered_json::array();
  for (const HostedTensor* cache : caches) {
    const NominalRows& rows = cache->nominal();
    tensors.push_back({{"layer", rows.layer},
                       {"side", rows.side == Side::key ? "k" : "v"},
                       {"bytes", cache->allocated_bytes()},
                       {"cells", rows.cells.n_rows()},
                       {"numbers", rows.n_numbers()}});
  }
  return {{"event", "cache"},
          {"precision", to_string(summary.precision)},
          {"k_bytes", summary.sum.k_bytes},
          {"v_bytes", summary.sum.v_bytes},
          {"fp16_bytes", summary.sum.fp16_bytes()},
          {"packed", summary.sum.n_packed},
          {"unpacked", summary.sum.n_unpacked},
          {"tensors", tensors}};
}

}  // namespace kvsplit
