#include "kernels/needs.h"

// They are: a table that is defined outside of its namespace misleads clang-tidy 14.
// NOLINTNEXTLINE(modernize-concat-nested-namespaces)
namespace kvsplit::scalar {
namespace {

// clang-format off
#include "kernels/simd/scalar.h"
#include "kernels/generic/all.h"
// clang-format on

}  // namespace
}  // namespace kvsplit::scalar

const kvsplit::KernelTable kvsplit::scalar_table{"scalar", [] { return true; }, scalar::attend,
                                                 scalar::multiply};
