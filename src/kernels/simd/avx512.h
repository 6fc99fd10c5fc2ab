// The vector operations in AVX-512 (F, BW, VL, DQ, VNNI). A vector always has 16 lanes of 32 bits,
// one per row of a tile; each instruction set says the same in its own registers. Included inside a
// namespace and a target region, never on its own.

constexpr int row_batch = 8;    // query rows worked on at once, with values
constexpr int score_batch = 6;  // and with keys
constexpr int few_rows = 4;     // whose keys and values are not unpacked to memory
constexpr int score_sums =
    12;  // scores that fit the registers, with their Dots and what they share

using F32 = __m512;  // 16 floats
struct I32 {         // 16 integers
  __m512i v;
};
using Dot = I32;  // running 4-way byte products, finish() gives the 16 sums
struct Bytes {    // 64 codes
  __m512i v;
};
struct Pairs {  // 16 channels of two rows, as 16-bit integers
  __m512i v;
};

inline F32 splat(float x) { return _mm512_set1_ps(x); }
inline F32 load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, F32 a) { _mm512_storeu_ps(p, a); }
inline F32 load_halves(const void* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
}
// 16 scales (kernels/scale_code.h); lowest: the bits of the float that code 0 stands for
inline F32 load_scales(const std::uint8_t* p, std::uint32_t lowest) {
  const __m512i codes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return _mm512_castsi512_ps(
      _mm512_add_epi32(_mm512_slli_epi32(codes, 20), _mm512_set1_epi32(static_cast<int>(lowest))));
}
// a · b + c, rounded once where the instruction set can
inline F32 multiply_add(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
inline F32 maximum(F32 a, F32 b) { return _mm512_max_ps(a, b); }
inline F32 minimum(F32 a, F32 b) { return _mm512_min_ps(a, b); }
inline float largest(F32 a) { return _mm512_reduce_max_ps(a); }
inline F32 round_to_integer(F32 a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// a · 2^exponent, exponent an integer in -126 … 127
inline F32 times_power_of_two(F32 a, F32 exponent) { return _mm512_scalef_ps(a, exponent); }
// value, but 0 in lanes where x < limit
inline F32 zero_where_below(F32 value, F32 x, float limit) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_set1_ps(limit), _CMP_GE_OQ), value);
}

inline I32 zero_i32() { return {_mm512_setzero_si512()}; }
inline F32 to_f32(I32 a) { return _mm512_cvtepi32_ps(a.v); }
inline I32 round_to_i32(F32 a) { return {_mm512_cvtps_epi32(a)}; }
// the 16 lanes as 16-bit integers; they must fit
inline void store_i16(std::int16_t* p, I32 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(a.v));
}

inline Bytes load_bytes(const std::uint8_t* p) { return {_mm512_loadu_si512(p)}; }
inline void store_bytes(std::uint8_t* p, Bytes a) { _mm512_storeu_si512(p, a.v); }
inline int largest(Bytes a) {
  return largest_byte(
      _mm256_max_epu8(_mm512_castsi512_si256(a.v), _mm512_extracti64x4_epi64(a.v, 1)));
}
inline Bytes operator|(Bytes a, Bytes b) { return {_mm512_or_si512(a.v, b.v)}; }
// bits shift … shift + bits − 1 of each byte
template <int shift, int bits>
inline Bytes field(Bytes a) {
  return {_mm512_and_si512(_mm512_srli_epi16(a.v, shift), _mm512_set1_epi8((1 << bits) - 1))};
}
// each byte shifted; no bit may leave its byte
template <int amount>
inline Bytes shift_left(Bytes a) {
  return {_mm512_slli_epi16(a.v, amount)};
}
// a quarter of a block's plane of single bits (kernels/bit_planes.h): 0 or `value` per code
template <int quarter, int value>
inline Bytes expand_bits(const std::uint8_t* plane) {
  // Two bytes per row: as 32-bit lanes one row each, then the byte that holds this quarter's four
  // bits is copied to the row's four codes, which test one bit each.
  const __m512i rows =
      _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(plane)));
  constexpr int byte = quarter / 2;
  constexpr int copies = byte * 0x01010101;
  const __m512i pick = _mm512_add_epi8(
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12)),
      _mm512_set1_epi32(copies));
  constexpr unsigned first = 1U << (4 * (quarter % 2));
  const __m512i bit =
      _mm512_set1_epi32(static_cast<int>(first | first << 9 | first << 18 | first << 27));
  const __mmask64 set = _mm512_test_epi8_mask(_mm512_shuffle_epi8(rows, pick), bit);
  return {_mm512_maskz_mov_epi8(set, _mm512_set1_epi8(value))};
}

inline Dot zero_dot() { return zero_i32(); }
// adds to each row's sum its four codes times q[0 … 3]
inline Dot dot4(Dot sums, Bytes codes, const std::int8_t* q) {
  const int four = load_32_bits(q);
  return {_mm512_dpbusd_epi32(sums.v, codes.v, _mm512_set1_epi32(four))};
}
inline I32 finish(Dot sums) { return sums; }

inline Pairs load_pairs(const std::int16_t* p) { return {_mm512_loadu_si512(p)}; }
inline void store_pairs(std::int16_t* p, Pairs a) { _mm512_storeu_si512(p, a.v); }
// the first and the last two of the four rows in a quarter of a block of values, codes times 2^8
inline Pairs first_pairs(Bytes codes) {
  return {_mm512_unpacklo_epi8(_mm512_setzero_si512(), codes.v)};
}
inline Pairs last_pairs(Bytes codes) {
  return {_mm512_unpackhi_epi8(_mm512_setzero_si512(), codes.v)};
}
// (a − middle) · factors[row] / 2^15, rounded; modulo 2^16 the difference is right
inline Pairs scaled(Pairs a, std::int16_t middle, const std::int16_t* factors) {
  const int two = load_32_bits(factors);
  return {_mm512_mulhrs_epi16(_mm512_sub_epi16(a.v, _mm512_set1_epi16(middle)),
                              _mm512_set1_epi32(two))};
}
// 64 times (8 + c % 8) · 2^(11 + c / 8 − largest) of scale codes c, shifted right by `drop`;
// anything where c / 8 is above `largest`
inline void store_factors(std::int16_t* p, const std::uint8_t* codes, int largest, int drop) {
  for (int i = 0; i < 64; i += 32) {
    const __m512i c =
        _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + i)));
    const __m512i mantissa = _mm512_ternarylogic_epi32(c, _mm512_set1_epi16(7),
                                                       _mm512_set1_epi16(8), 0xEA);  // c & 7 | 8
    const __m512i exponent = _mm512_add_epi16(_mm512_srli_epi16(c, 3),
                                              _mm512_set1_epi16(static_cast<short>(11 - largest)));
    const __m512i factors = _mm512_sllv_epi16(mantissa, exponent);
    _mm512_storeu_si512(p + i, _mm512_srl_epi16(factors, _mm_cvtsi32_si128(drop)));
  }
}
// adds to each channel's sum its values of two rows times weights[0 … 1]
inline I32 dot2(I32 sums, Pairs values, const std::int16_t* weights) {
  const int two = load_32_bits(weights);
  return {_mm512_dpwssd_epi32(sums.v, values.v, _mm512_set1_epi32(two))};
}
