#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels/needs.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")

// clang-tidy 14 would join these two, as the table is defined outside of them.
// NOLINTNEXTLINE(modernize-concat-nested-namespaces)
namespace kvsplit::avx2 {
namespace {

// clang-format off
#include "kernels/simd/avx2.h"
#include "kernels/simd/avx2_products.h"
#include "kernels/generic/all.h"
// clang-format on

}  // namespace
}  // namespace kvsplit::avx2

#include "kernels/generic/end_target.h"

const kvsplit::KernelTable kvsplit::avx2_table =
    avx2::table("avx2", [] { return cpu_features().avx2; });

#endif
