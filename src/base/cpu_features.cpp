#include "base/cpu_features.h"

#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace kvsplit {
namespace {

#if defined(__x86_64__)

struct CpuidRegisters {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

CpuidRegisters cpuid(unsigned leaf, unsigned subleaf) {
  CpuidRegisters r;  // stay 0 where there is no such leaf
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

bool has_all(unsigned bits, unsigned wanted) { return (bits & wanted) == wanted; }

// Which register files the operating system saves (XCR0). __builtin_cpu_supports needs a symbol
// that a library loaded into a foreign host may not find, so the processor is asked directly.
std::uint32_t saved_state() {
  std::uint32_t low = 0;
  __asm__("xgetbv" : "=a"(low) : "c"(0) : "edx");
  return low;
}

#endif

CpuFeatures detect() {
  CpuFeatures features;
#if defined(__x86_64__)
  const CpuidRegisters leaf1 = cpuid(1, 0);
  if (!has_all(leaf1.ecx, bit_OSXSAVE | bit_AVX)) return features;
  constexpr unsigned ymm_state = 0x6, zmm_state = 0xE6;
  const CpuidRegisters leaf7 = cpuid(7, 0);
  features.avx2 = has_all(saved_state(), ymm_state) && has_all(leaf7.ebx, bit_AVX2) &&
                  has_all(leaf1.ecx, bit_FMA | bit_F16C);
  features.avx_vnni = features.avx2 && has_all(cpuid(7, 1).eax, bit_AVXVNNI);
  constexpr unsigned avx512 = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
  features.avx512 = features.avx2 && has_all(saved_state(), zmm_state) &&
                    has_all(leaf7.ebx, avx512) && has_all(leaf7.ecx, bit_AVX512VNNI);
#elif defined(__aarch64__) && defined(__linux__)
  features.neon_dot = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#elif defined(__aarch64__) && defined(__APPLE__)
  features.neon_dot = true;  // every Mac with such a processor has them
#endif
  return features;
}

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

}  // namespace kvsplit
