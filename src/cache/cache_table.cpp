#include "cache/cache_table.h"

#include <algorithm>
#include <utility>

namespace kvsplit {
namespace {

// With a point, also in a host whose locale writes a comma.
std::string mebibytes(std::size_t bytes) {
  const std::size_t hundredths = (bytes * 100 + (1U << 19U)) >> 20U;
  const std::string cents = std::to_string(hundredths % 100 + 100).substr(1);
  return std::to_string(hundredths / 100) + "." + cents + " MiB";
}

}  // namespace

void CacheSum::count(const HostedTensor& cache, int sign) {
  const auto change = [sign](std::size_t& part, std::size_t its) {
    part = sign > 0 ? part + its : part - std::min(part, its);
  };
  const bool keys = cache.nominal().side == Side::key;
  change(keys ? k_bytes : v_bytes, cache.allocated_bytes());
  change(keys ? k_numbers : v_numbers, cache.nominal().n_numbers());
  change(cache.packed() ? n_packed : n_unpacked, 1);
}

CacheSummary::CacheSummary(std::span<const HostedTensor* const> caches) {
  std::map<std::string, std::vector<std::string>> noted;  // tensors that a note is about
  for (const HostedTensor* cache : caches) {
    sum.add(*cache);
    if (!cache->note().empty()) noted[cache->note()].push_back(cache->name());
    if (!cache->packed()) continue;
    // A tensor tells the bits of its own side.
    const Precision other = std::exchange(precision, cache->precision());
    const bool keys = cache->nominal().side == Side::key;
    (keys ? precision.v_bits : precision.k_bits) = keys ? other.v_bits : other.k_bits;
  }
  if (!has_exact_rows({precision.k_bits, precision.v_bits})) {
    precision.sinks = Precision{}.sinks;
    precision.window = Precision{}.window;
  }
  for (const auto& [note, names] : noted) {
    std::string& line = notes.emplace_back(names.front());
    if (names.size() > 1)
      line.append(" and ").append(std::to_string(names.size() - 1)).append(" more");
    line.append(": ").append(note);
  }
}

std::string CacheSummary::text() const {
  std::string line =
      to_string(precision) + " cache: " + std::to_string(sum.n_packed) + " tensors packed, ";
  if (sum.n_unpacked > 0) line += std::to_string(sum.n_unpacked) + " not, ";
  return line + mebibytes(sum.bytes()) + " instead of " + mebibytes(sum.fp16_bytes()) + " at FP16";
}

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

void CacheTable::leave_unpacked(HostedTensor* cache, const std::string& why) {
  if (cache == nullptr || !cache->packed() || why.empty()) return;
  counter_.change([&](CacheSum& sum) {
    CacheSum changed = sum;
    changed.take(*cache);
    cache->unpack(why);
    changed.add(*cache);
    sum = changed;
  });
  caches_[cache->nominal_rows()] = caches_[cache->address()];
  if (std::ranges::find(untold_, cache) == untold_.end()) untold_.push_back(cache);
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
