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
  CpuidRegisters r;
  if (__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx) == 0) return {};
  return r;
}

bool has(unsigned bits, unsigned position) { return ((bits >> position) & 1U) != 0; }

// Which register files the operating system saves (XCR0). __builtin_cpu_supports needs a symbol
// that a library loaded into a foreign host may not find, so the processor is asked directly.
std::uint64_t saved_state() {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<std::uint64_t>(high) << 32U | low;
}

CpuFeatures detect() {
  CpuFeatures features;
  const CpuidRegisters leaf1 = cpuid(1, 0);
  constexpr unsigned fma = 12, osxsave = 27, avx = 28, f16c = 29;
  if (!has(leaf1.ecx, osxsave) || !has(leaf1.ecx, avx)) return features;
  constexpr std::uint64_t ymm_state = 0x6, zmm_state = 0xE6;
  const std::uint64_t saved = saved_state();
  const CpuidRegisters leaf7 = cpuid(7, 0);
  features.avx2 = (saved & ymm_state) == ymm_state && has(leaf7.ebx, 5) && has(leaf1.ecx, fma) &&
                  has(leaf1.ecx, f16c);
  features.avx_vnni = features.avx2 && has(cpuid(7, 1).eax, 4);
  constexpr unsigned f = 16, dq = 17, bw = 30, vl = 31, vnni = 11;
  features.avx512 = features.avx2 && (saved & zmm_state) == zmm_state && has(leaf7.ebx, f) &&
                    has(leaf7.ebx, dq) && has(leaf7.ebx, bw) && has(leaf7.ebx, vl) &&
                    has(leaf7.ecx, vnni);
  return features;
}

#elif defined(__aarch64__) && defined(__linux__)

CpuFeatures detect() {
  CpuFeatures features;
  features.neon_dot = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
  return features;
}

#elif defined(__aarch64__) && defined(__APPLE__)

// Every Mac with such a processor has them.
CpuFeatures detect() {
  CpuFeatures features;
  features.neon_dot = true;
  return features;
}

#else

CpuFeatures detect() { return {}; }

#endif

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

}  // namespace kvsplit
