// The vector operations in AVX2 with FMA and F16C: 16 lanes are two registers. See avx512.h for
// what each means. Products of integers are in avx2_products.h and avx_vnni_products.h.

constexpr int few_rows = 4;

struct F32 {
  __m256 low, high;
};
struct I32 {
  __m256i low, high;
};
struct Bytes {
  __m256i low, high;
};
struct Pairs {
  __m256i low, high;
};

inline F32 splat(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline F32 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void store(float* p, F32 a) {
  _mm256_storeu_ps(p, a.low);
  _mm256_storeu_ps(p + 8, a.high);
}
inline F32 load_halves(const void* p) {
  const auto* halves = static_cast<const __m128i*>(p);
  return {_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves + 1))};
}
inline __m256 eight_scales(const std::uint8_t* p, std::uint32_t lowest) {
  const __m256i codes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  return _mm256_castsi256_ps(
      _mm256_add_epi32(_mm256_slli_epi32(codes, 20), _mm256_set1_epi32(static_cast<int>(lowest))));
}
inline F32 load_scales(const std::uint8_t* p, std::uint32_t lowest) {
  return {eight_scales(p, lowest), eight_scales(p + 8, lowest)};
}
inline F32 operator+(F32 a, F32 b) {
  return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}
inline F32 operator-(F32 a, F32 b) {
  return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
}
inline F32 operator*(F32 a, F32 b) {
  return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}
inline F32 operator/(F32 a, F32 b) {
  return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
}
inline F32 multiply_add(F32 a, F32 b, F32 c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
inline F32 maximum(F32 a, F32 b) {
  return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}
inline F32 minimum(F32 a, F32 b) {
  return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}
inline float largest(F32 a) {
  const __m256 eight = _mm256_max_ps(a.low, a.high);
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}
inline F32 round_to_integer(F32 a) {
  constexpr int nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.low, nearest), _mm256_round_ps(a.high, nearest)};
}
inline __m256 power_of_two(__m256 exponent) {
  const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(exponent), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
}
inline F32 times_power_of_two(F32 a, F32 exponent) {
  return a * F32{power_of_two(exponent.low), power_of_two(exponent.high)};
}
inline F32 zero_where_below(F32 value, F32 x, float limit) {
  const __m256 edge = _mm256_set1_ps(limit);
  return {_mm256_and_ps(_mm256_cmp_ps(x.low, edge, _CMP_GE_OQ), value.low),
          _mm256_and_ps(_mm256_cmp_ps(x.high, edge, _CMP_GE_OQ), value.high)};
}

inline I32 zero_i32() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
inline F32 to_f32(I32 a) { return {_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)}; }
inline I32 round_to_i32(F32 a) { return {_mm256_cvtps_epi32(a.low), _mm256_cvtps_epi32(a.high)}; }
inline void store_i16(std::int16_t* p, I32 a) {
  // packs works within 128-bit halves; the permutation puts its quarters in order
  const __m256i packed = _mm256_packs_epi32(a.low, a.high);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(packed, 0xD8));
}

inline __m256i load_256(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline Bytes load_bytes(const std::uint8_t* p) { return {load_256(p), load_256(p + 32)}; }
inline void store_bytes(std::uint8_t* p, Bytes a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.low);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), a.high);
}
inline int largest(Bytes a) { return largest_byte(_mm256_max_epu8(a.low, a.high)); }
inline Bytes operator|(Bytes a, Bytes b) {
  return {_mm256_or_si256(a.low, b.low), _mm256_or_si256(a.high, b.high)};
}
template <int shift, int bits>
inline Bytes field(Bytes a) {
  const __m256i mask = _mm256_set1_epi8((1 << bits) - 1);
  return {_mm256_and_si256(_mm256_srli_epi16(a.low, shift), mask),
          _mm256_and_si256(_mm256_srli_epi16(a.high, shift), mask)};
}
template <int amount>
inline Bytes shift_left(Bytes a) {
  return {_mm256_slli_epi16(a.low, amount), _mm256_slli_epi16(a.high, amount)};
}
template <int quarter, int value>
inline __m256i expand_half(const std::uint8_t* plane) {
  const __m256i rows =
      _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(plane)));
  constexpr int copies = (quarter / 2) * 0x01010101;
  const __m256i pick =
      _mm256_add_epi8(_mm256_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12, 0, 0, 0,
                                       0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12),
                      _mm256_set1_epi32(copies));
  constexpr unsigned first = 1U << (4 * (quarter % 2));
  const __m256i bit =
      _mm256_set1_epi32(static_cast<int>(first | first << 9 | first << 18 | first << 27));
  const __m256i set =
      _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(rows, pick), bit), bit);
  return _mm256_and_si256(set, _mm256_set1_epi8(value));
}
template <int quarter, int value>
inline Bytes expand_bits(const std::uint8_t* plane) {
  return {expand_half<quarter, value>(plane), expand_half<quarter, value>(plane + 16)};
}

inline Pairs load_pairs(const std::int16_t* p) {
  const auto* const words = reinterpret_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(words), _mm256_loadu_si256(words + 1)};
}
inline void store_pairs(std::int16_t* p, Pairs a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.low);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 16), a.high);
}
inline Pairs first_pairs(Bytes codes) {
  const __m256i zero = _mm256_setzero_si256();
  return {_mm256_unpacklo_epi8(zero, codes.low), _mm256_unpacklo_epi8(zero, codes.high)};
}
inline Pairs last_pairs(Bytes codes) {
  const __m256i zero = _mm256_setzero_si256();
  return {_mm256_unpackhi_epi8(zero, codes.low), _mm256_unpackhi_epi8(zero, codes.high)};
}
inline Pairs scaled(Pairs a, std::int16_t middle, const std::int16_t* factors) {
  const int two = load_32_bits(factors);
  const __m256i m = _mm256_set1_epi16(middle);
  const __m256i f = _mm256_set1_epi32(two);
  return {_mm256_mulhrs_epi16(_mm256_sub_epi16(a.low, m), f),
          _mm256_mulhrs_epi16(_mm256_sub_epi16(a.high, m), f)};
}
inline __m256i eight_factors(const std::uint8_t* codes, int largest, int drop) {
  const __m256i c = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes)));
  const __m256i mantissa =
      _mm256_or_si256(_mm256_and_si256(c, _mm256_set1_epi32(7)), _mm256_set1_epi32(8));
  const __m256i exponent =
      _mm256_add_epi32(_mm256_srli_epi32(c, 3), _mm256_set1_epi32(11 - largest));
  const __m256i factors = _mm256_sllv_epi32(mantissa, exponent);
  return _mm256_srl_epi32(factors, _mm_cvtsi32_si128(drop));
}
inline void store_factors(std::int16_t* p, const std::uint8_t* codes, int largest, int drop) {
  for (int i = 0; i < 64; i += 16) {
    store_i16(p + i, {eight_factors(codes + i, largest, drop),
                      eight_factors(codes + i + 8, largest, drop)});
  }
}
