// Any bytes behind a plan's first ones, with a checksum that is right, are a plan or refused; of
// what is read every format can be made, for whatever bits.
#include "cache/plan.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "fuzz/support/temporary_file.h"

namespace {

using namespace kvsplit;

void make_formats(const CalibratedPlan& plan) {
  const std::vector<PlannedLayer> layers = plan.layers();
  for (int layer = 0; layer < std::ssize(layers); ++layer) {
    for (const Side side : {Side::key, Side::value}) {
      const PlannedSide& planned = side == Side::key ? layers[layer].keys : layers[layer].values;
      const auto n_channels = planned.head_dim * std::ssize(planned.heads);
      for (const int bits : {2, 4, 8}) {
        try {
          plan.format(layer, side, static_cast<int>(n_channels), {bits, bits});
        } catch (const Error&) {  // of other shapes than the cache
        }
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::TemporaryFile file;
  std::string bytes("kvplan2\n");
  bytes.append(reinterpret_cast<const char*>(data), size);
  const std::uint64_t checksum = fnv1a(bytes);
  bytes.append(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
  try {
    make_formats(CalibratedPlan(file.holding(bytes)));
  } catch (const Error&) {
  }
  return 0;
}
