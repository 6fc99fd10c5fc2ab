#if defined(__aarch64__)

#include <arm_neon.h>

#include "kernels/needs.h"

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod")

// clang-tidy 14 would join these two, as the table is defined outside of them.
// NOLINTNEXTLINE(modernize-concat-nested-namespaces)
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

const kvsplit::KernelTable kvsplit::neon_dot_table =
    neon_dot::table("neon_dot", [] { return cpu_features().neon_dot; });

#endif
