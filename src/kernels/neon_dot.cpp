#if defined(__aarch64__)

#include <arm_neon.h>

#include "kernels/needs.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif

namespace kvsplit::neon_dot {
namespace {

// clang-format off
#include "kernels/simd/neon.h"
#include "kernels/simd/neon_dot_bytes.h"
#include "kernels/generic/all.h"
// clang-format on

}  // namespace
}  // namespace kvsplit::neon_dot

#include "kernels/generic/end_target.h"

namespace kvsplit::neon_dot {

const KernelTable table{"neon_dot", [] { return cpu_features().neon_dot; }, attend, multiply};

}  // namespace kvsplit::neon_dot

#endif
