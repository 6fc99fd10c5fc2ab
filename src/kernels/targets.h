#pragma once

#include "kernels/attend.h"

// One line per instruction set; each is a simd/ wrapper and a .cpp of a few lines.
namespace kvsplit {

namespace scalar {
extern const KernelTable table;
}

#if defined(__aarch64__)
namespace neon {
extern const KernelTable table;
}
namespace neon_dot {
extern const KernelTable table;
}
#endif

#if defined(__x86_64__)
namespace avx2 {
extern const KernelTable table;
}
namespace avx_vnni {
extern const KernelTable table;
}
namespace avx512 {
extern const KernelTable table;
}
#endif

}  // namespace kvsplit
