#if defined(__x86_64__)

// Standard headers come before the region: what they define must stay code for every processor.
#include <immintrin.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "base/cpu_features.h"
#include "kernels/attend.h"
#include "kernels/bit_planes.h"
#include "kernels/scale_code.h"
#include "kernels/targets.h"

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

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace kvsplit::avx2 {
namespace {

bool supported() { return cpu_features().avx2; }

}  // namespace

const KernelTable table{"avx2", supported, attend};

}  // namespace kvsplit::avx2

#endif
