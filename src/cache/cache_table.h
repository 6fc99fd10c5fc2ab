#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
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

  void add(const HostedTensor& cache) { count(cache, 1); }
  void take(const HostedTensor& cache) { count(cache, -1); }

 private:
  void count(const HostedTensor& cache, int sign);
};

/// What all caches of a process take.
using CacheCounter = Shared<CacheSum>;

/// What to tell about caches that come into use together.
struct CacheSummary {
  explicit CacheSummary(std::span<const HostedTensor* const> caches);

  Precision precision{.k_bits = 16, .v_bits = 16, .plan = {}};  ///< of those that are packed
  CacheSum sum;
  std::vector<std::string> notes;  ///< what the user should know, each with the tensors it is about

  std::string text() const;  ///< one line
};

/// The caches that lie in one buffer of the host, each known by where the host believes it to be.
/// What they take is added to a sum.
class CacheTable {
 public:
  explicit CacheTable(CacheCounter& counter) : counter_(counter) {}

  /// The cache that begins there; nullptr: none.
  HostedTensor* at(const std::byte* address) const;
  /// The cache that this place is in; nullptr: none.
  HostedTensor* around(const std::byte* place) const;
  HostedTensor* add(NominalRows nominal, const std::optional<Precision>& chosen, std::byte* memory);

  /// HostedTensor::unpack(), if there is a packed one and a reason; afterwards the cache is at its
  /// new memory too.
  void leave_unpacked(HostedTensor* cache, const std::string& why);
  /// All of the buffer is zeros again.
  void cleared();

  /// Moves to `caches` those of which nothing was told yet, or something else: all of the buffer,
  /// also where the host cuts its graph into pieces of a layer each.
  void take_untold(std::vector<const HostedTensor*>& caches);
  /// Whether this is the first refusal of a session since the buffer was cleared.
  bool first_refusal();

  bool empty() const { return caches_.empty(); }

 private:
  CacheCounter& counter_;
  std::map<const std::byte*, std::shared_ptr<HostedTensor>> caches_;
  std::vector<const HostedTensor*> untold_;
  bool refused_ = false;
};

}  // namespace kvsplit
