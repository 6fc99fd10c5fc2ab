#pragma once

#include <span>
#include <string>

#include "measure/results.h"
#include "report/table.h"

namespace kvsplit::report {

using Records = std::span<const measure::CacheRecord>;

/// A row per record; columns that no record has a value for are left out. Rows whose KL means
/// visible damage (report/verdict.h) carry a mark.
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

/// Writes json(), csv() or, to a .md file, `markdown`, as the name ends: what the screen shows.
/// Error: another ending, or it cannot be written.
void write(const std::string& file, Records records, const std::string& markdown);

/// Error: `file` ends in none of .json, .csv and .md. To be asked before measuring, not after.
void check_file_name(const std::string& file);

}  // namespace kvsplit::report
