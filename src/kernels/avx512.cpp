#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels/needs.h"

#pragma clang attribute push(                                                               \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
    apply_to = function)
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")
#if !defined(__clang__)
// g++ 12 warns of its own intrinsics' deliberately undefined registers (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

// clang-tidy 14 would join these two, as the table is defined outside of them.
// NOLINTNEXTLINE(modernize-concat-nested-namespaces)
namespace kvsplit::avx512 {
namespace {

// clang-format off
#include "kernels/simd/avx512.h"
#include "kernels/generic/all.h"
// clang-format on

}  // namespace
}  // namespace kvsplit::avx512

#include "kernels/generic/end_target.h"

const kvsplit::KernelTable kvsplit::avx512_table =
    avx512::table("avx512", [] { return cpu_features().avx512; });

#endif
