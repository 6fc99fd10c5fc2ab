// The vector operations in NEON: 16 lanes are four registers. See avx512.h for what each means.
// Products of bytes, Dot, come from one of neon_bytes.h and neon_dot_bytes.h. Included inside a
// namespace, never on its own.

constexpr int row_batch = 4;
constexpr int score_batch = 4;
constexpr int few_rows = 4;
constexpr int score_sums = 4;

struct F32 {
  float32x4_t v[4];
};
struct I32 {
  int32x4_t v[4];
};
struct Bytes {
  uint8x16_t v[4];
};
struct Pairs {
  int16x8_t v[4];  // four channels of two rows each
};

template <typename Result, typename Function>
inline Result make(Function function) {
  return {{function(0), function(1), function(2), function(3)}};
}

inline F32 splat(float x) {
  const float32x4_t four = vdupq_n_f32(x);
  return {{four, four, four, four}};
}
inline F32 load(const float* p) {
  return make<F32>([&](int i) { return vld1q_f32(p + 4 * i); });
}
inline void store(float* p, F32 a) {
  for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, a.v[i]);
}
inline F32 load_halves(const void* p) {
  const auto* const bytes = static_cast<const std::uint8_t*>(p);
  return make<F32>(
      [&](int i) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(bytes + 8 * i))); });
}
inline uint32x4_t widen(uint8x16_t bytes, int i) {
  const uint16x8_t words = vmovl_u8(i < 2 ? vget_low_u8(bytes) : vget_high_u8(bytes));
  return vmovl_u16(i % 2 == 0 ? vget_low_u16(words) : vget_high_u16(words));
}
inline F32 load_scales(const std::uint8_t* p, std::uint32_t lowest) {
  const uint8x16_t codes = vld1q_u8(p);
  return make<F32>([&](int i) {
    return vreinterpretq_f32_u32(vaddq_u32(vshlq_n_u32(widen(codes, i), 20), vdupq_n_u32(lowest)));
  });
}
inline F32 operator+(F32 a, F32 b) {
  return make<F32>([&](int i) { return vaddq_f32(a.v[i], b.v[i]); });
}
inline F32 operator-(F32 a, F32 b) {
  return make<F32>([&](int i) { return vsubq_f32(a.v[i], b.v[i]); });
}
inline F32 operator*(F32 a, F32 b) {
  return make<F32>([&](int i) { return vmulq_f32(a.v[i], b.v[i]); });
}
inline F32 operator/(F32 a, F32 b) {
  return make<F32>([&](int i) { return vdivq_f32(a.v[i], b.v[i]); });
}
inline F32 multiply_add(F32 a, F32 b, F32 c) {
  return make<F32>([&](int i) { return vfmaq_f32(c.v[i], a.v[i], b.v[i]); });
}
inline F32 maximum(F32 a, F32 b) {
  return make<F32>([&](int i) { return vmaxnmq_f32(a.v[i], b.v[i]); });
}
inline F32 minimum(F32 a, F32 b) {
  return make<F32>([&](int i) { return vminnmq_f32(a.v[i], b.v[i]); });
}
inline float largest(F32 a) {
  return vmaxnmvq_f32(vmaxnmq_f32(vmaxnmq_f32(a.v[0], a.v[1]), vmaxnmq_f32(a.v[2], a.v[3])));
}
inline F32 round_to_integer(F32 a) {
  return make<F32>([&](int i) { return vrndnq_f32(a.v[i]); });
}
inline F32 times_power_of_two(F32 a, F32 exponent) {
  return make<F32>([&](int i) {
    const int32x4_t biased = vaddq_s32(vcvtnq_s32_f32(exponent.v[i]), vdupq_n_s32(127));
    return vmulq_f32(a.v[i], vreinterpretq_f32_s32(vshlq_n_s32(biased, 23)));
  });
}
inline F32 zero_where_below(F32 value, F32 x, float limit) {
  return make<F32>([&](int i) {
    const uint32x4_t kept = vcgeq_f32(x.v[i], vdupq_n_f32(limit));
    return vreinterpretq_f32_u32(vandq_u32(kept, vreinterpretq_u32_f32(value.v[i])));
  });
}

inline I32 zero_i32() {
  const int32x4_t zero = vdupq_n_s32(0);
  return {{zero, zero, zero, zero}};
}
inline F32 to_f32(I32 a) {
  return make<F32>([&](int i) { return vcvtq_f32_s32(a.v[i]); });
}
inline I32 round_to_i32(F32 a) {
  return make<I32>([&](int i) { return vcvtnq_s32_f32(a.v[i]); });
}
inline void store_i16(std::int16_t* p, I32 a) {
  for (int i = 0; i < 4; ++i) vst1_s16(p + 4 * i, vqmovn_s32(a.v[i]));
}

inline Bytes load_bytes(const std::uint8_t* p) {
  return make<Bytes>([&](int i) { return vld1q_u8(p + 16 * i); });
}
inline void store_bytes(std::uint8_t* p, Bytes a) {
  for (int i = 0; i < 4; ++i) vst1q_u8(p + 16 * i, a.v[i]);
}
inline int largest(Bytes a) {
  return vmaxvq_u8(vmaxq_u8(vmaxq_u8(a.v[0], a.v[1]), vmaxq_u8(a.v[2], a.v[3])));
}
inline Bytes operator|(Bytes a, Bytes b) {
  return make<Bytes>([&](int i) { return vorrq_u8(a.v[i], b.v[i]); });
}
template <int shift, int bits>
inline Bytes field(Bytes a) {
  return make<Bytes>([&](int i) {
    const uint8x16_t mask = vdupq_n_u8((1 << bits) - 1);
    if constexpr (shift == 0) {
      return vandq_u8(a.v[i], mask);
    } else {
      return vandq_u8(vshrq_n_u8(a.v[i], shift), mask);
    }
  });
}
template <int amount>
inline Bytes shift_left(Bytes a) {
  return make<Bytes>([&](int i) { return vshlq_n_u8(a.v[i], amount); });
}
template <int quarter, int value>
inline Bytes expand_bits(const std::uint8_t* plane) {
  // A register's codes belong to four rows, of two bytes each: the byte that holds this quarter's
  // four bits is copied to the row's four codes, which test one bit each.
  constexpr std::uint8_t byte = quarter / 2;
  constexpr std::uint8_t first[16] = {0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6};
  constexpr std::uint8_t bits[16] = {1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8};
  const uint8x16_t pick = vaddq_u8(vld1q_u8(first), vdupq_n_u8(byte));
  const uint8x16_t bit = vshlq_n_u8(vld1q_u8(bits), 4 * (quarter % 2));
  return make<Bytes>([&](int i) {
    const uint8x16_t rows = vld1q_u8(plane + i / 2 * 16);
    const uint8x16_t index = vaddq_u8(pick, vdupq_n_u8(i % 2 * 8));
    return vandq_u8(vtstq_u8(vqtbl1q_u8(rows, index), bit), vdupq_n_u8(value));
  });
}
// four 8-bit or two 16-bit integers, again and again
inline int32x4_t repeated_32_bits(const void* p) {
  std::int32_t bits;
  std::memcpy(&bits, p, sizeof(bits));
  return vdupq_n_s32(bits);
}

inline Pairs load_pairs(const std::int16_t* p) {
  return make<Pairs>([&](int i) { return vld1q_s16(p + 8 * i); });
}
inline void store_pairs(std::int16_t* p, Pairs a) {
  for (int i = 0; i < 4; ++i) vst1q_s16(p + 8 * i, a.v[i]);
}
inline Pairs first_pairs(Bytes codes) {
  return make<Pairs>(
      [&](int i) { return vreinterpretq_s16_u8(vzip1q_u8(vdupq_n_u8(0), codes.v[i])); });
}
inline Pairs last_pairs(Bytes codes) {
  return make<Pairs>(
      [&](int i) { return vreinterpretq_s16_u8(vzip2q_u8(vdupq_n_u8(0), codes.v[i])); });
}
inline Pairs scaled(Pairs a, std::int16_t middle, const std::int16_t* factors) {
  const int16x8_t f = vreinterpretq_s16_s32(repeated_32_bits(factors));
  return make<Pairs>(
      [&](int i) { return vqrdmulhq_s16(vsubq_s16(a.v[i], vdupq_n_s16(middle)), f); });
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
inline I32 dot2(I32 sums, Pairs values, const std::int16_t* weights) {
  const int16x8_t w = vreinterpretq_s16_s32(repeated_32_bits(weights));
  return make<I32>([&](int i) {
    const int32x4_t low = vmull_s16(vget_low_s16(values.v[i]), vget_low_s16(w));
    const int32x4_t high = vmull_high_s16(values.v[i], w);
    return vaddq_s32(sums.v[i], vpaddq_s32(low, high));
  });
}
