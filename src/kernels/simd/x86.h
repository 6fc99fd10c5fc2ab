// What the AVX2 and AVX-512 wrappers share. Included before them, in the same namespace and region.

// Two 16-bit or four 8-bit integers as one of 32 bits, to be copied to all lanes.
inline int load_32_bits(const void* p) {
  std::int32_t bits;
  std::memcpy(&bits, p, sizeof(bits));
  return bits;
}

inline int largest_byte(__m256i a) {
  const __m128i half = _mm_max_epu8(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  // The one instruction for such a search finds the least of eight 16-bit integers.
  const __m128i pairs = _mm_max_epu8(half, _mm_srli_epi16(half, 8));
  const __m128i inverse = _mm_andnot_si128(pairs, _mm_set1_epi16(0xFF));
  return 0xFF - _mm_extract_epi16(_mm_minpos_epu16(inverse), 0);
}
