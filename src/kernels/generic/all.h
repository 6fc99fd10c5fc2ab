// The loops, the same text for every instruction set, in the order in which a step goes through
// them. Included inside `namespace kvsplit::<set> { namespace {` after a simd/ wrapper.
// clang-format off
#include "kernels/generic/vectors.h"
#include "kernels/generic/functions.h"
#include "kernels/generic/unpack.h"
#include "kernels/generic/score.h"
#include "kernels/generic/softmax.h"
#include "kernels/generic/accumulate.h"
#include "kernels/generic/attend.h"
#include "kernels/generic/encode.h"
#include "kernels/generic/multiply.h"
#include "kernels/generic/table.h"
// clang-format on
