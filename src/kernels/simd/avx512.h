// AVX-512 (F, BW, VL, DQ, VNNI): a vector is a register. See scalar.h for what functions mean.

constexpr int row_batch = 8;    // query rows worked on at once, with values
constexpr int score_batch = 6;  // and with keys
constexpr int score_sums =
    12;  // scores that fit the registers, with their Dots and what they share

constexpr int register_bytes = 64;
#include "kernels/simd/registers.h"
#include "kernels/simd/x86.h"

inline __m512i bits_of(auto a) { return reinterpret_cast<__m512i>(a); }
inline __m256i load_half(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

inline __m512 multiply_add(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }
inline __m512 widen_halves(const std::uint8_t* p) { return _mm512_cvtph_ps(load_half(p)); }
inline Register<std::uint32_t> widen(const std::uint8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return as<std::uint32_t>(_mm512_cvtepu8_epi32(bytes));
}
inline float largest(__m512 a) { return _mm512_reduce_max_ps(a); }
inline std::uint8_t largest(Register<std::uint8_t> a) {
  const __m256i high = _mm512_extracti64x4_epi64(bits_of(a), 1);
  return largest(_mm256_max_epu8(_mm512_castsi512_si256(bits_of(a)), high));
}
inline void store_i16(std::int16_t* p, I32 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(bits_of(a.v[0])));
}
template <int byte>
inline Register<std::uint8_t> copies(const std::uint8_t* rows) {
  const __m512i pick = _mm512_broadcast_i32x4(picked(byte));
  return as<std::uint8_t>(_mm512_shuffle_epi8(_mm512_cvtepu16_epi32(load_half(rows)), pick));
}
inline Register<std::uint8_t> where_set(Register<std::uint8_t> a, Register<std::uint8_t> bit,
                                        std::uint8_t value) {
  const __mmask64 set = _mm512_test_epi8_mask(bits_of(a), bits_of(bit));
  return as<std::uint8_t>(_mm512_maskz_mov_epi8(set, _mm512_set1_epi8(static_cast<char>(value))));
}
inline void store_factors(std::int16_t* p, const std::uint8_t* codes, int largest, int drop) {
  for (int i = 0; i < 64; i += 32) {
    const __m512i c = _mm512_cvtepu8_epi16(load_half(codes + i));
    const __m512i mantissa = _mm512_ternarylogic_epi32(c, _mm512_set1_epi16(7),
                                                       _mm512_set1_epi16(8), 0xEA);  // c & 7 | 8
    const __m512i exponent = _mm512_add_epi16(_mm512_srli_epi16(c, 3),
                                              _mm512_set1_epi16(static_cast<short>(11 - largest)));
    const __m512i factors = _mm512_sllv_epi16(mantissa, exponent);
    _mm512_storeu_si512(p + i, _mm512_srl_epi16(factors, _mm_cvtsi32_si128(drop)));
  }
}
inline Register<std::int16_t> first_pairs(Register<std::uint8_t> codes) {
  return as<std::int16_t>(_mm512_unpacklo_epi8(_mm512_setzero_si512(), bits_of(codes)));
}
inline Register<std::int16_t> last_pairs(Register<std::uint8_t> codes) {
  return as<std::int16_t>(_mm512_unpackhi_epi8(_mm512_setzero_si512(), bits_of(codes)));
}
inline Register<std::int16_t> rounded_product(Register<std::int16_t> a, Register<std::int16_t> b) {
  return as<std::int16_t>(_mm512_mulhrs_epi16(bits_of(a), bits_of(b)));
}

inline Register<std::int32_t> dot2(Register<std::int32_t> sums, Register<std::int16_t> values,
                                   Register<std::int16_t> weights) {
  return as<std::int32_t>(_mm512_dpwssd_epi32(bits_of(sums), bits_of(values), bits_of(weights)));
}
inline Register<std::int32_t> dot4(Register<std::int32_t> sums, Register<std::uint8_t> codes,
                                   Register<std::int8_t> q) {
  return as<std::int32_t>(_mm512_dpbusd_epi32(bits_of(sums), bits_of(codes), bits_of(q)));
}
#include "kernels/simd/plain_dot.h"
