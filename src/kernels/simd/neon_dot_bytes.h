// Products of bytes for neon.h with the dot-product instructions of Armv8.2. Codes are made signed,
// code − 128; the sum of the queries' codes, times 128, is missing until finish().

struct Dot {
  int32x4_t v[4];
  int32x4_t q_sum;
};

inline Dot dot4(Dot sums, Bytes codes, const std::int8_t* q) {
  const int8x16_t four = repeated(q);
  for (int i = 0; i < 4; ++i) {
    const int8x16_t centred = vreinterpretq_s8_u8(veorq_u8(codes.v[i], vdupq_n_u8(0x80)));
    sums.v[i] = vdotq_s32(sums.v[i], centred, four);
  }
  sums.q_sum = vdotq_s32(sums.q_sum, four, vdupq_n_s8(1));
  return sums;
}
inline I32 finish(const Dot& sums) {
  return make<std::int32_t>([&](int i) { return sums.v[i] + 128 * sums.q_sum; });
}
