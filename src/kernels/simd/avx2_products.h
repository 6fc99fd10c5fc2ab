// Products of integers for avx2.h. There is none of bytes here that cannot saturate, so codes are
// widened to 16 bits.

constexpr int row_batch = 2;
constexpr int score_batch = 2;
constexpr int score_sums = 2;

struct Dot {
  // rows 4·i … 4·i + 3, two sums each: of the even and the odd pair of channels
  Register<std::int32_t> quarter[4];
};

inline Register<std::int32_t> dot2(Register<std::int32_t> sums, Register<std::int16_t> values,
                                   Register<std::int16_t> weights) {
  return sums + as<std::int32_t>(_mm256_madd_epi16(bits_of(values), bits_of(weights)));
}
inline Dot dot4(Dot sums, Bytes codes, const std::int8_t* q) {
  const __m128i four = _mm256_castsi256_si128(bits_of(repeated(q)));
  const auto wide_q = as<std::int16_t>(_mm256_cvtepi8_epi16(four));
  for (int i = 0; i < 4; ++i) {
    const __m256i half = bits_of(codes.v[i / 2]);
    const __m128i sixteen =
        i % 2 == 0 ? _mm256_castsi256_si128(half) : _mm256_extracti128_si256(half, 1);
    const auto wide_codes = as<std::int16_t>(_mm256_cvtepu8_epi16(sixteen));
    sums.quarter[i] = dot2(sums.quarter[i], wide_codes, wide_q);
  }
  return sums;
}
inline I32 finish(const Dot& sums) {
  return make<std::int32_t>([&](int i) {
    const __m256i added =
        _mm256_hadd_epi32(bits_of(sums.quarter[2 * i]), bits_of(sums.quarter[2 * i + 1]));
    return as<std::int32_t>(_mm256_permute4x64_epi64(added, 0xD8));
  });
}
