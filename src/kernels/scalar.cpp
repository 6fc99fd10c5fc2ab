#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/attend.h"
#include "kernels/bit_planes.h"
#include "kernels/scale_code.h"
#include "kernels/targets.h"

namespace kvsplit::scalar {
namespace {

// clang-format off
#include "kernels/simd/scalar.h"
#include "kernels/generic/all.h"
// clang-format on

bool supported() { return true; }

}  // namespace

const KernelTable table{"scalar", supported, attend};

}  // namespace kvsplit::scalar
