#include "cache/cache_table.h"

#include <algorithm>
#include <utility>

namespace kvsplit {

HostedTensor* CacheTable::at(const std::byte* address) const {
  const auto found = caches_.find(address);
  return found == caches_.end() ? nullptr : found->second.get();
}

HostedTensor* CacheTable::around(const std::byte* place) const {
  auto after = caches_.upper_bound(place);
  if (after == caches_.begin()) return nullptr;
  const auto& [address, cache] = *--after;
  return place < address + cache->nominal().bytes() ? cache.get() : nullptr;
}

HostedTensor* CacheTable::add(NominalRows nominal, const std::optional<Precision>& chosen,
                              std::byte* memory) {
  HostedFormat format = choose_format(nominal, chosen);
  auto cache = std::make_shared<HostedTensor>(std::move(nominal), std::move(format), memory);
  counter_.change([&](CacheSum& sum) { sum.add(*cache); });
  untold_.push_back(cache.get());
  return (caches_[memory] = std::move(cache)).get();
}

void CacheTable::leave_unpacked(HostedTensor& cache, const std::string& why) {
  if (!cache.packed()) return;
  counter_.change([&](CacheSum& sum) {
    CacheSum changed = sum;
    changed.take(cache);
    cache.unpack(why);
    changed.add(cache);
    sum = changed;
  });
  caches_[cache.nominal_rows()] = caches_[cache.address()];
  if (std::ranges::find(untold_, &cache) == untold_.end()) untold_.push_back(&cache);
}

void CacheTable::cleared() {
  refused_ = false;
  for (const auto& [address, cache] : caches_) cache->cleared();
}

void CacheTable::take_untold(std::vector<const HostedTensor*>& caches) {
  caches.insert(caches.end(), untold_.begin(), untold_.end());
  untold_.clear();
}

bool CacheTable::first_refusal() { return !std::exchange(refused_, true); }

}  // namespace kvsplit
