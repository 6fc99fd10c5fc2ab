#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels/needs.h"

#pragma clang attribute push(__attribute__((target("avxvnni,avx2,fma,f16c"))), apply_to = function)
#pragma GCC push_options
#pragma GCC target("avxvnni,avx2,fma,f16c")

// clang-tidy 14 would join these two, as the table is defined outside of them.
// NOLINTNEXTLINE(modernize-concat-nested-namespaces)
namespace kvsplit::avx_vnni {
namespace {

// clang-format off
#include "kernels/simd/avx2.h"
#include "kernels/simd/avx_vnni_products.h"
#include "kernels/generic/all.h"
// clang-format on

}  // namespace
}  // namespace kvsplit::avx_vnni

#include "kernels/generic/end_target.h"

const kvsplit::KernelTable kvsplit::avx_vnni_table =
    avx_vnni::table("avx_vnni", [] { return cpu_features().avx_vnni; });

#endif
