// Products of integers for avx2.h with AVX-VNNI, as processors have it that lack AVX-512.

constexpr int row_batch = 4;
constexpr int score_batch = 4;
constexpr int score_sums = 4;

using Dot = I32;

inline Dot zero_dot() { return zero_i32(); }
inline Dot dot4(Dot sums, Bytes codes, const std::int8_t* q) {
  const __m256i four = _mm256_set1_epi32(load_32_bits(q));
  return {_mm256_dpbusd_avx_epi32(sums.low, codes.low, four),
          _mm256_dpbusd_avx_epi32(sums.high, codes.high, four)};
}
inline I32 finish(Dot sums) { return sums; }

inline I32 dot2(I32 sums, Pairs values, const std::int16_t* weights) {
  const __m256i two = _mm256_set1_epi32(load_32_bits(weights));
  return {_mm256_dpwssd_avx_epi32(sums.low, values.low, two),
          _mm256_dpwssd_avx_epi32(sums.high, values.high, two)};
}
