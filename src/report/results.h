#pragma once

#include <string>
#include <vector>

#include "report/json.h"

namespace kvsplit::report {

/// What files hold that kvsplit wrote with -o, in the order of the files.
struct Results {
  Json records = Json::array();    ///< of compare, perplexity and bench
  Json explained = Json::array();  ///< objects of explain

  /// The records of both.
  Json all_records() const;
};

/// Error: a file cannot be read, is damaged, or has other keys than docs/results.md.
Results read_results(const std::vector<std::string>& files);

}  // namespace kvsplit::report
