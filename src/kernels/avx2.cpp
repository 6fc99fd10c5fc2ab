#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels/needs.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif

namespace kvsplit::avx2 {
namespace {

// clang-format off
#include "kernels/simd/x86.h"
#include "kernels/simd/avx2.h"
#include "kernels/simd/avx2_products.h"
#include "kernels/generic/all.h"
// clang-format on

}  // namespace
}  // namespace kvsplit::avx2

#include "kernels/generic/end_target.h"

namespace kvsplit::avx2 {

const KernelTable table{"avx2", [] { return cpu_features().avx2; }, attend, multiply};

}  // namespace kvsplit::avx2

#endif
