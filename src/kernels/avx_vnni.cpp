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

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace kvsplit::avx_vnni {
namespace {

bool supported() { return cpu_features().avx_vnni; }

}  // namespace

const KernelTable table{"avx_vnni", supported, attend};

}  // namespace kvsplit::avx_vnni

#endif
