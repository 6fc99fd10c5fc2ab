#include "host/model_plan.h"

#include <filesystem>

#include "base/error.h"
#include "cache/plan_file.h"
#include "host/weights.h"

namespace kvsplit::host {

std::string plan_beside(const std::string& model_file) {
  return std::filesystem::path(model_file).replace_extension(".kvplan");
}

Precision with_plan(Precision precision, const std::string& model_file) {
  if (precision.plan == "auto") {
    precision.plan = plan_beside(model_file);
    if (!std::filesystem::exists(precision.plan)) {
      throw Error(precision.plan + ": no plan yet, kvsplit calibrate -m " + model_file +
                  " makes it");
    }
  }
  if (precision.plan.empty()) return precision;
  if (open_plan(precision.plan)->origin().model != WeightFile(model_file).fingerprint()) {
    throw Error(precision.plan + ": a plan for another model than " + model_file +
                ", kvsplit calibrate makes one for it");
  }
  return precision;
}

}  // namespace kvsplit::host
