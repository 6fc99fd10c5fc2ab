#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels/needs.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avxvnni,avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avxvnni,avx2,fma,f16c")
#endif

namespace kvsplit::avx_vnni {
namespace {

// clang-format off
#include "kernels/simd/x86.h"
#include "kernels/simd/avx2.h"
#include "kernels/simd/avx_vnni_products.h"
#include "kernels/generic/all.h"
// clang-format on

}  // namespace
}  // namespace kvsplit::avx_vnni

#include "kernels/generic/end_target.h"

namespace kvsplit::avx_vnni {

const KernelTable table{"avx_vnni", [] { return cpu_features().avx_vnni; }, attend, multiply};

}  // namespace kvsplit::avx_vnni

#endif
