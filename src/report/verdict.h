#pragma once

#include <span>
#include <string>

#include "measure/results.h"

namespace kvsplit::report {

/// Mean KL divergence, in nats per token, from which a cache's damage is called visible.
/// Pinsker: two distributions with this KL differ by at most sqrt(KL / 2) in the probability of any
/// event, here a tenth. Below it, at most one sampled token in ten can come out otherwise.
inline constexpr double visible_damage_kl = 0.02;

inline constexpr const char* damage_mark = "⚠";

bool is_damaged(const measure::CacheRecord& record);

/// One sentence: which of the caches to take, and why. The first record is the FP16 baseline.
/// The smallest one without visible damage; among equals (within 1 %) the fastest at decoding.
std::string recommendation(std::span<const measure::CacheRecord> records);

/// What the mark means, a line for below a table that has one; "" for one that has none.
std::string damage_legend(std::span<const measure::CacheRecord> records);

}  // namespace kvsplit::report
