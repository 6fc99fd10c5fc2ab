#if defined(__aarch64__)

// Standard headers come before the region: what they define must stay code for every processor.
#include <arm_neon.h>

#include <bit>
#include <cstring>

#include "base/cpu_features.h"
#include "kernels/attend.h"
#include "kernels/bit_planes.h"
#include "kernels/scale_code.h"
#include "kernels/targets.h"

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

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace kvsplit::neon_dot {
namespace {

bool supported() { return cpu_features().neon_dot; }

}  // namespace

const KernelTable table{"neon_dot", supported, attend};

}  // namespace kvsplit::neon_dot

#endif
