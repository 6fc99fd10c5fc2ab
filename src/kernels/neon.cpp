#if defined(__aarch64__)

#include <arm_neon.h>

#include <bit>
#include <cstring>

#include "kernels/attend.h"
#include "kernels/bit_planes.h"
#include "kernels/scale_code.h"
#include "kernels/targets.h"

namespace kvsplit::neon {
namespace {

// clang-format off
#include "kernels/simd/neon.h"
#include "kernels/simd/neon_bytes.h"
#include "kernels/generic/all.h"
// clang-format on

bool supported() { return true; }

}  // namespace

const KernelTable table{"neon", supported, attend};

}  // namespace kvsplit::neon

#endif
