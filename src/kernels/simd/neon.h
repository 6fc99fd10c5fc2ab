// NEON: a vector is four registers. See scalar.h for what functions mean. Products of bytes, Dot,
// come from one of neon_bytes.h and neon_dot_bytes.h.

constexpr int row_batch = 4;
constexpr int score_batch = 4;
constexpr int score_sums = 4;

constexpr int register_bytes = 16;
#include "kernels/simd/registers.h"

inline float32x4_t multiply_add(float32x4_t a, float32x4_t b, float32x4_t c) {
  return vfmaq_f32(c, a, b);
}
inline float32x4_t widen_halves(const std::uint8_t* p) {
  return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}
inline uint32x4_t widen(const std::uint8_t* p) {
  std::uint32_t four;
  std::memcpy(&four, p, sizeof(four));
  return vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four))));
}
inline float largest(float32x4_t a) { return vmaxvq_f32(a); }
inline std::uint8_t largest(uint8x16_t a) { return vmaxvq_u8(a); }
inline void store_i16(std::int16_t* p, I32 a) {
  for (int i = 0; i < 4; ++i) vst1_s16(p + 4 * i, vqmovn_s32(a.v[i]));
}
template <int byte>
inline uint8x16_t copies(const std::uint8_t* rows) {
  constexpr std::uint8_t first[16] = {0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6};
  const uint8x8_t four_rows = vld1_u8(rows);
  const uint8x16_t pick = vaddq_u8(vld1q_u8(first), vdupq_n_u8(byte));
  return vqtbl1q_u8(vcombine_u8(four_rows, four_rows), pick);
}
inline uint8x16_t where_set(uint8x16_t a, uint8x16_t bit, std::uint8_t value) {
  return vandq_u8(vtstq_u8(a, bit), vdupq_n_u8(value));
}
inline void store_factors(std::int16_t* p, const std::uint8_t* codes, int largest, int drop) {
  for (int i = 0; i < 64; i += 8) {
    const uint16x8_t c = vmovl_u8(vld1_u8(codes + i));
    const uint16x8_t mantissa = vorrq_u16(vandq_u16(c, vdupq_n_u16(7)), vdupq_n_u16(8));
    const int16x8_t exponent = vaddq_s16(vreinterpretq_s16_u16(vshrq_n_u16(c, 3)),
                                         vdupq_n_s16(static_cast<std::int16_t>(11 - largest)));
    // negative counts would shift right
    const uint16x8_t kept = vcgeq_s16(exponent, vdupq_n_s16(0));
    const uint16x8_t factor = vandq_u16(kept, vshlq_u16(mantissa, exponent));
    const int16x8_t right = vdupq_n_s16(static_cast<std::int16_t>(-drop));
    vst1q_s16(p + i, vreinterpretq_s16_u16(vshlq_u16(factor, right)));
  }
}
inline int16x8_t first_pairs(uint8x16_t codes) {
  return vreinterpretq_s16_u8(vzip1q_u8(vdupq_n_u8(0), codes));
}
inline int16x8_t last_pairs(uint8x16_t codes) {
  return vreinterpretq_s16_u8(vzip2q_u8(vdupq_n_u8(0), codes));
}
inline int16x8_t rounded_product(int16x8_t a, int16x8_t b) { return vqrdmulhq_s16(a, b); }
inline int32x4_t dot2(int32x4_t sums, int16x8_t values, int16x8_t weights) {
  const int32x4_t low = vmull_s16(vget_low_s16(values), vget_low_s16(weights));
  return vaddq_s32(sums, vpaddq_s32(low, vmull_high_s16(values, weights)));
}
