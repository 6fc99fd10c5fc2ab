// Products of bytes for neon.h without an instruction for them. Codes are made signed, code − 128,
// and products of eight bits widened to 16; the sum of the queries' codes, times 128, is missing
// until finish().

struct Dot {
  int32x4_t low[4], high[4];  // two sums per row: of its first and of its last two channels
  std::int32_t q_sum;
};

inline Dot dot4(Dot sums, Bytes codes, const std::int8_t* q) {
  const int8x16_t four = repeated(q);
  for (int i = 0; i < 4; ++i) {
    const int8x16_t centred = vreinterpretq_s8_u8(veorq_u8(codes.v[i], vdupq_n_u8(0x80)));
    sums.low[i] = vpadalq_s16(sums.low[i], vmull_s8(vget_low_s8(centred), vget_low_s8(four)));
    sums.high[i] = vpadalq_s16(sums.high[i], vmull_high_s8(centred, four));
  }
  sums.q_sum += q[0] + q[1] + q[2] + q[3];
  return sums;
}
inline I32 finish(const Dot& sums) {
  return make<std::int32_t>(
      [&](int i) { return vpaddq_s32(sums.low[i], sums.high[i]) + 128 * sums.q_sum; });
}
