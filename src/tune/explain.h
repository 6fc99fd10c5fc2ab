#pragma once

#include <vector>

#include "measure/comparison.h"

namespace kvsplit::tune {

/// Reads the text's windows and quantises rows of each of the layers (none: of all) with the codec
/// of caches while its attention is at hand. Error: one of them has no cache that is packed.
std::vector<measure::HeadRecord> explain(const measure::ComparisonCall& text, int bits,
                                         const std::vector<int>& layers);

}  // namespace kvsplit::tune
