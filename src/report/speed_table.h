#pragma once

#include <string>

#include "report/records.h"

namespace kvsplit::report {

/// Two lines: the model on which machine, and which programs, when.
std::string setting_text(const measure::Setting& setting);

/// Speeds with the spread of their rounds, a row per record, at least one; what the first one has
/// not (prompts or single tokens) is left out.
Table speed_table(Records records);

}  // namespace kvsplit::report
