#include "kernels/needs.h"

// clang-tidy 14 would join these two, as the table is defined outside of them.
// NOLINTNEXTLINE(modernize-concat-nested-namespaces)
namespace kvsplit::scalar {
namespace {

// clang-format off
#include "kernels/simd/scalar.h"
#include "kernels/generic/all.h"
// clang-format on

}  // namespace
}  // namespace kvsplit::scalar

const kvsplit::KernelTable kvsplit::scalar_table = scalar::table("scalar", [] { return true; });
