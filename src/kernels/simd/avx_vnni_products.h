// Products of integers for avx2.h with AVX-VNNI, as processors have it that lack AVX-512.

constexpr int row_batch = 4;
constexpr int score_batch = 4;
constexpr int score_sums = 4;

inline Register<std::int32_t> dot2(Register<std::int32_t> sums, Register<std::int16_t> values,
                                   Register<std::int16_t> weights) {
  return as<std::int32_t>(
      _mm256_dpwssd_avx_epi32(bits_of(sums), bits_of(values), bits_of(weights)));
}
inline Register<std::int32_t> dot4(Register<std::int32_t> sums, Register<std::uint8_t> codes,
                                   Register<std::int8_t> q) {
  return as<std::int32_t>(_mm256_dpbusd_avx_epi32(bits_of(sums), bits_of(codes), bits_of(q)));
}
#include "kernels/simd/plain_dot.h"
