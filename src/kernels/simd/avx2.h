// AVX2 with FMA and F16C: a vector is two registers. See scalar.h for what functions mean. Products
// of integers are in avx2_products.h and avx_vnni_products.h.

constexpr int register_bytes = 32;
#include "kernels/simd/registers.h"
#include "kernels/simd/x86.h"

inline __m256i bits_of(auto a) { return reinterpret_cast<__m256i>(a); }
inline __m128i load_half(const std::uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

inline __m256 multiply_add(__m256 a, __m256 b, __m256 c) { return _mm256_fmadd_ps(a, b, c); }
inline __m256 widen_halves(const std::uint8_t* p) { return _mm256_cvtph_ps(load_half(p)); }
inline Register<std::uint32_t> widen(const std::uint8_t* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return as<std::uint32_t>(_mm256_cvtepu8_epi32(bytes));
}
inline std::uint8_t largest(Register<std::uint8_t> a) { return largest(bits_of(a)); }
inline void store_i16(std::int16_t* p, I32 a) {
  // packs works within 128-bit halves; the permutation puts its quarters in order
  const __m256i packed = _mm256_packs_epi32(bits_of(a.v[0]), bits_of(a.v[1]));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(packed, 0xD8));
}
template <int byte>
inline Register<std::uint8_t> copies(const std::uint8_t* rows) {
  const __m256i pick = _mm256_broadcastsi128_si256(picked(byte));
  return as<std::uint8_t>(_mm256_shuffle_epi8(_mm256_cvtepu16_epi32(load_half(rows)), pick));
}
inline Register<std::uint8_t> where_set(Register<std::uint8_t> a, Register<std::uint8_t> bit,
                                        std::uint8_t value) {
  return as<std::uint8_t>((a & bit) == bit) & value;
}
inline __m256i eight_factors(const std::uint8_t* codes, int largest, int drop) {
  const Register<std::uint32_t> c = widen(codes);
  const __m256i exponent = bits_of((c >> 3) + static_cast<std::uint32_t>(11 - largest));
  const __m256i factors = _mm256_sllv_epi32(bits_of((c & 7) | 8), exponent);
  return _mm256_srl_epi32(factors, _mm_cvtsi32_si128(drop));
}
inline void store_factors(std::int16_t* p, const std::uint8_t* codes, int largest, int drop) {
  for (int i = 0; i < 64; i += 16) {
    store_i16(p + i, make<std::int32_t>([&](int j) {
                return as<std::int32_t>(eight_factors(codes + i + 8 * j, largest, drop));
              }));
  }
}
inline Register<std::int16_t> first_pairs(Register<std::uint8_t> codes) {
  return as<std::int16_t>(_mm256_unpacklo_epi8(_mm256_setzero_si256(), bits_of(codes)));
}
inline Register<std::int16_t> last_pairs(Register<std::uint8_t> codes) {
  return as<std::int16_t>(_mm256_unpackhi_epi8(_mm256_setzero_si256(), bits_of(codes)));
}
inline Register<std::int16_t> rounded_product(Register<std::int16_t> a, Register<std::int16_t> b) {
  return as<std::int16_t>(_mm256_mulhrs_epi16(bits_of(a), bits_of(b)));
}
