// What the AVX2 and AVX-512 wrappers share. Included by them, in their namespace and region.

inline std::uint8_t largest(__m256i a) {
  const __m128i half = _mm_max_epu8(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  // The one instruction for such a search finds the least of eight 16-bit integers.
  const __m128i pairs = _mm_max_epu8(half, _mm_srli_epi16(half, 8));
  const __m128i inverse = _mm_andnot_si128(pairs, _mm_set1_epi16(0xFF));
  return 0xFF - _mm_extract_epi16(_mm_minpos_epu16(inverse), 0);
}
inline float largest(__m256 a) {
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}
// which of four rows' bytes, widened to 32 bits, `copies` puts where
inline __m128i picked(char byte) {
  const __m128i first = _mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
  return _mm_add_epi8(first, _mm_set1_epi8(byte));
}
