#pragma once

#include <string>

#include "cache/precision.h"

namespace kvsplit::host {

/// Where a model's plan is looked for: beside it, "model.gguf" has "model.kvplan".
std::string plan_beside(const std::string& model_file);

/// The precision with `plan=auto` as the file beside the model. Error: there is none, or the
/// precision's plan is for another model.
Precision with_plan(Precision precision, const std::string& model_file);

}  // namespace kvsplit::host
