#include "cache/cache_sum.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "base/event_file.h"

namespace kvsplit {
namespace {

std::string mebibytes(std::size_t bytes) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f MiB", static_cast<double>(bytes) / (1U << 20U));
  return text.data();
}

// Calls change(part of the sum, what the cache has in it).
template <class Change>
void for_each_part(CacheSum& sum, const HostedTensor& cache, const Change& change) {
  const bool keys = cache.nominal().side == Side::key;
  change(keys ? sum.k_bytes : sum.v_bytes, cache.allocated_bytes());
  change(keys ? sum.k_numbers : sum.v_numbers, cache.nominal().n_numbers());
  change(cache.packed() ? sum.n_packed : sum.n_unpacked, 1);
}

}  // namespace

void CacheSum::add(const HostedTensor& cache) {
  for_each_part(*this, cache, [](std::size_t& part, std::size_t its) { part += its; });
}

void CacheSum::take(const HostedTensor& cache) {
  for_each_part(*this, cache, [](auto& part, std::size_t its) { part -= std::min(part, its); });
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

std::string CacheSummary::json_fields() const {
  return "\"precision\": " + quoted(to_string(precision)) +
         ", \"k_bytes\": " + std::to_string(sum.k_bytes) +
         ", \"v_bytes\": " + std::to_string(sum.v_bytes) +
         ", \"fp16_bytes\": " + std::to_string(sum.fp16_bytes()) +
         ", \"packed\": " + std::to_string(sum.n_packed) +
         ", \"unpacked\": " + std::to_string(sum.n_unpacked);
}

}  // namespace kvsplit
