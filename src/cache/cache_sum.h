#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/shared.h"
#include "cache/hosted_tensor.h"

namespace kvsplit {

/// What some caches take.
struct CacheSum {
  std::size_t k_bytes = 0, v_bytes = 0;      ///< as allocated
  std::size_t k_numbers = 0, v_numbers = 0;  ///< numbers held: rows × channels
  std::size_t n_packed = 0, n_unpacked = 0;  ///< tensors packed, and left as the host knows them

  std::size_t bytes() const { return k_bytes + v_bytes; }
  std::size_t fp16_bytes() const { return (k_numbers + v_numbers) * 2; }

  void add(const HostedTensor& cache);
  void take(const HostedTensor& cache);
};

/// What all caches of a process take.
using CacheCounter = Shared<CacheSum>;

/// What to tell about caches that come into use together.
struct CacheSummary {
  explicit CacheSummary(std::span<const HostedTensor* const> caches);

  Precision precision{.k_bits = 16, .v_bits = 16, .plan = {}};  ///< of those that are packed
  CacheSum sum;
  std::vector<std::string> notes;  ///< what the user should know, each with the tensors it is about

  std::string text() const;         ///< one line
  std::string json_fields() const;  ///< names as in docs/results.md, without the braces
};

}  // namespace kvsplit
