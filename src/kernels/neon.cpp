#if defined(__aarch64__)

#include <arm_neon.h>

#include "kernels/needs.h"

namespace kvsplit::neon {
namespace {

// clang-format off
#include "kernels/simd/neon.h"
#include "kernels/simd/neon_bytes.h"
#include "kernels/generic/all.h"
// clang-format on

}  // namespace

const KernelTable table{"neon", [] { return true; }, attend, multiply};

}  // namespace kvsplit::neon

#endif
