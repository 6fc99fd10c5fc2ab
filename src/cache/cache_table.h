#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/cache_sum.h"
#include "cache/hosted_tensor.h"

namespace kvsplit {

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

  /// HostedTensor::unpack(), if it is packed; afterwards the cache is at its new memory too.
  void leave_unpacked(HostedTensor& cache, const std::string& why);
  /// All of the buffer is zeros again.
  void cleared();

  /// Moves to `caches` those of which nothing was told yet, or something else.
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
