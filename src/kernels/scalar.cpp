#include "kernels/needs.h"

namespace kvsplit::scalar {
namespace {

// clang-format off
#include "kernels/simd/scalar.h"
#include "kernels/generic/all.h"
// clang-format on

}  // namespace

const KernelTable table{"scalar", [] { return true; }, attend, multiply};

}  // namespace kvsplit::scalar
