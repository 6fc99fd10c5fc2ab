#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels/needs.h"

#if defined(__clang__)
#pragma clang attribute push(                                                               \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
    apply_to = function)
#else
#pragma GCC push_options
// g++ 12 warns of its own intrinsics' deliberately undefined registers (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")
#endif

namespace kvsplit::avx512 {
namespace {

// clang-format off
#include "kernels/simd/x86.h"
#include "kernels/simd/avx512.h"
#include "kernels/generic/all.h"
// clang-format on

}  // namespace
}  // namespace kvsplit::avx512

#include "kernels/generic/end_target.h"

namespace kvsplit::avx512 {

const KernelTable table{"avx512", [] { return cpu_features().avx512; }, attend, multiply};

}  // namespace kvsplit::avx512

#endif
