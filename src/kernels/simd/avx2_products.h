// Products of integers for avx2.h. There is none of bytes here that cannot saturate, so codes are
// widened to 16 bits.

constexpr int row_batch = 2;
constexpr int score_batch = 2;
constexpr int score_sums = 2;

struct Dot {
  __m256i
      quarter[4];  // rows 4·i … 4·i + 3, two sums each: of the even and the odd pair of channels
};

inline Dot zero_dot() {
  const __m256i zero = _mm256_setzero_si256();
  return {{zero, zero, zero, zero}};
}
inline Dot dot4(Dot sums, Bytes codes, const std::int8_t* q) {
  const int four = load_32_bits(q);
  const __m256i wide_q = _mm256_cvtepi8_epi16(_mm_set1_epi32(four));
  const auto add = [&](__m256i sum, __m128i sixteen) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_cvtepu8_epi16(sixteen), wide_q));
  };
  return {{add(sums.quarter[0], _mm256_castsi256_si128(codes.low)),
           add(sums.quarter[1], _mm256_extracti128_si256(codes.low, 1)),
           add(sums.quarter[2], _mm256_castsi256_si128(codes.high)),
           add(sums.quarter[3], _mm256_extracti128_si256(codes.high, 1))}};
}
inline __m256i finish_half(__m256i a, __m256i b) {
  return _mm256_permute4x64_epi64(_mm256_hadd_epi32(a, b), 0xD8);
}
inline I32 finish(const Dot& sums) {
  return {finish_half(sums.quarter[0], sums.quarter[1]),
          finish_half(sums.quarter[2], sums.quarter[3])};
}

inline I32 dot2(I32 sums, Pairs values, const std::int16_t* weights) {
  const int two = load_32_bits(weights);
  const __m256i w = _mm256_set1_epi32(two);
  return {_mm256_add_epi32(sums.low, _mm256_madd_epi16(values.low, w)),
          _mm256_add_epi32(sums.high, _mm256_madd_epi16(values.high, w))};
}
