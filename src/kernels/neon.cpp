#if defined(__aarch64__)

#include <arm_neon.h>

#include "kernels/needs.h"

// They are: a table that is defined outside of its namespace misleads clang-tidy 14.
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

const kvsplit::KernelTable kvsplit::neon_table{"neon", [] { return true; }, neon::attend,
                                               neon::multiply};

#endif
