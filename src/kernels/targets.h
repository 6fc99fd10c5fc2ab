#pragma once

#include "kernels/attend.h"

// One name per instruction set; each is a simd/ wrapper and a .cpp of a few lines, which is empty
// where the processor is of another kind.
namespace kvsplit {

extern const KernelTable scalar_table, neon_table, neon_dot_table;
extern const KernelTable avx2_table, avx_vnni_table, avx512_table;

}  // namespace kvsplit
