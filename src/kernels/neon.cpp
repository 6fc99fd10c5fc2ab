#if defined(__aarch64__)

#include <arm_neon.h>

#include "kernels/needs.h"

// clang-tidy 14 would join these two, as the table is defined outside of them.
// NOLINTNEXTLINE(modernize-concat-nested-namespaces)
namespace kvsplit::neon {
namespace {

// clang-format off
#include "kernels/simd/neon.h"
#include "kernels/simd/neon_bytes.h"
#include "kernels/generic/all.h"
// clang-format on

}  // namespace
}  // namespace kvsplit::neon

const kvsplit::KernelTable kvsplit::neon_table = neon::table("neon", [] { return true; });

#endif
