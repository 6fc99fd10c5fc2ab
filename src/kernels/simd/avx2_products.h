// Products of integers for avx2.h. There is none of bytes here that cannot saturate, so codes and
// queries are widened to 16 bits where they lie: even and odd bytes of each pair apart.

constexpr int row_batch = 2;
constexpr int score_batch = 3;
constexpr int score_sums = 3;

inline Register<std::int32_t> dot2(Register<std::int32_t> sums, Register<std::int16_t> values,
                                   Register<std::int16_t> weights) {
  return sums + as<std::int32_t>(_mm256_madd_epi16(bits_of(values), bits_of(weights)));
}
inline Register<std::int32_t> dot4(Register<std::int32_t> sums, Register<std::uint8_t> codes,
                                   Register<std::int8_t> q) {
  const auto two_codes = as<std::uint16_t>(codes);
  const auto two_q = as<std::uint16_t>(q);
  const auto even_q = as<std::int16_t>(two_q << 8) >> 8;
  sums = dot2(sums, as<std::int16_t>(two_codes & 0xFF), even_q);
  return dot2(sums, as<std::int16_t>(two_codes >> 8), as<std::int16_t>(two_q) >> 8);
}
#include "kernels/simd/plain_dot.h"
