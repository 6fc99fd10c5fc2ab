#include "tune/tune.h"

namespace kvsplit::tune {
namespace {

// Only one side of one layer in few bits: its loss is far from noise and not yet a collapse. The
// other side has 8, since first tokens are kept exactly only where both are packed.
Precision alone(const std::string& plan, int layer, Side side) {
  Precision precision = side == Side::key ? Precision{3, 8} : Precision{8, 3};
  precision.first_layer = precision.last_layer = layer;
  precision.plan = plan;
  return precision;
}

}  // namespace

std::vector<PlannedLayer> tune(const TuneCall& call) {
  const auto plan = open_plan(call.plan);
  std::vector<PlannedLayer> layers = plan->layers();
  struct Part {
    PlannedSide* side;
    Precision precision;
    double expected;
  };
  std::vector<Part> parts;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    for (const Side side : {Side::key, Side::value}) {
      PlannedSide& planned = side == Side::key ? layers[i].keys : layers[i].values;
      if (planned.heads.empty()) continue;
      const auto layer = static_cast<int>(i);
      const Precision precision = alone(call.plan, layer, side);
      const int n_channels = static_cast<int>(planned.heads.size()) * planned.head_dim;
      parts.push_back({&planned, precision,
                       expected_error(plan_format(precision, layer, side, n_channels, false))});
    }
  }
  std::vector<host::CacheChoice> caches;
  caches.reserve(parts.size());
  for (const Part& part : parts) caches.push_back(host::kvsplit_cache(part.precision));
  const Losses losses = measure_losses(call.measured, caches, call.losses, call.search, call.share);
  for (const Part& part : parts) {
    const double weight = losses.at(to_string(part.precision)) / part.expected;
    for (PlannedHead& head : part.side->heads) {
      for (float& variance : head.variance) variance *= static_cast<float>(weight);
    }
  }
  return layers;
}

}  // namespace kvsplit::tune
