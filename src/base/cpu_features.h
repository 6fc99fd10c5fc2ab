#pragma once

namespace kvsplit {

/// What the processor has and the operating system saves and restores between threads.
struct CpuFeatures {
  bool avx2 = false;      ///< AVX2, FMA and F16C
  bool avx_vnni = false;  ///< those of avx2, and integer dot products in registers of 256 bits
  bool avx512 = false;    ///< AVX-512 F, BW, VL, DQ and VNNI (byte dot products)
  bool neon_dot = false;  ///< the dot products of Armv8.2
};

const CpuFeatures& cpu_features();

}  // namespace kvsplit
