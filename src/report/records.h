#pragma once

#include <span>
#include <string>

#include "measure/results.h"
#include "report/table.h"

namespace kvsplit::report {

using Records = std::span<const measure::CacheRecord>;

/// A row per record; columns that no record has a value for are left out. Rows whose KL means
/// visible damage carry a mark.
Table table(Records records);

/// Two lines: the model on which machine, and which programs, when.
std::string setting_text(const measure::Setting& setting);

/// Speeds with the spread of their rounds, a row per record, at least one; what was not measured
/// (prompts or single tokens) is left out.
Table speed_table(Records records);

/// A list of objects with the keys of docs/results.md; null where nothing was measured.
std::string json(Records records);

/// The same keys as columns, in the same order; empty where nothing was measured.
std::string csv(Records records);

/// Writes one of them, as the name ends; to a .md file what the screen shows.
/// Error: another ending, or it cannot be written.
void write(const std::string& file, const std::string& json, const std::string& csv,
           const std::string& markdown);

/// Error: `file` ends in none of .json, .csv and .md. To be asked before measuring, not after.
void check_file_name(const std::string& file);

/// Mean KL divergence, in nats per token, from which a cache's damage is called visible.
/// Pinsker: two distributions with this KL differ by at most sqrt(KL / 2) in the probability of any
/// event, here a tenth. Below it, at most one sampled token in ten can come out otherwise.
inline constexpr double visible_damage_kl = 0.02;

inline constexpr const char* damage_mark = "⚠";

bool is_damaged(const measure::CacheRecord& record);

/// Mean KL divergence, in nats per token, that nobody notices: by the same bound, one sampled token
/// in 26 at most can come out otherwise.
inline constexpr double unnoticed_kl = 0.003;

/// One sentence: which of the caches to take, and why. The first record is the FP16 baseline. The
/// smallest one whose KL is at most `max_kl` above that of llama.cpp's own f16 cache, where
/// that was measured; among equals (within 1 %) the fastest at decoding.
std::string recommendation(Records records, double max_kl = unnoticed_kl);

/// What the mark means, a line for below a table that has one; "" for one that has none.
std::string damage_legend(Records records);

}  // namespace kvsplit::report
