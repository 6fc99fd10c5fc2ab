// The vector operations in plain C++: what they mean, and what runs where nothing better is.
// Included inside the namespace of an instruction set, like its siblings, after the headers that
// the .cpp includes. See avx512.h for the list with its meaning.

constexpr int row_batch = 4;
constexpr int score_batch = 4;
constexpr int few_rows = 4;
constexpr int score_sums = 4;

struct F32 {
  float lane[16];
};

struct I32 {
  std::int32_t lane[16];
};

using Dot = I32;

struct Bytes {
  std::uint8_t lane[64];
};

struct Pairs {
  std::int16_t lane[32];
};

template <typename Result, typename Function>
Result make(int n, Function function) {
  Result result;
  for (int i = 0; i < n; ++i) result.lane[i] = function(i);
  return result;
}

F32 splat(float x) {
  return make<F32>(16, [&](int) { return x; });
}
F32 load(const float* p) {
  return make<F32>(16, [&](int i) { return p[i]; });
}
void store(float* p, F32 a) {
  for (int i = 0; i < 16; ++i) p[i] = a.lane[i];
}
F32 load_halves(const void* p) {
  Half halves[16];
  std::memcpy(halves, p, sizeof(halves));
  return make<F32>(16, [&](int i) { return half_to_float(halves[i]); });
}
F32 load_scales(const std::uint8_t* p, std::uint32_t lowest) {
  return make<F32>(16, [&](int i) {
    return std::bit_cast<float>(lowest + (static_cast<std::uint32_t>(p[i]) << 20U));
  });
}
F32 operator+(F32 a, F32 b) {
  return make<F32>(16, [&](int i) { return a.lane[i] + b.lane[i]; });
}
F32 operator-(F32 a, F32 b) {
  return make<F32>(16, [&](int i) { return a.lane[i] - b.lane[i]; });
}
F32 operator*(F32 a, F32 b) {
  return make<F32>(16, [&](int i) { return a.lane[i] * b.lane[i]; });
}
F32 operator/(F32 a, F32 b) {
  return make<F32>(16, [&](int i) { return a.lane[i] / b.lane[i]; });
}
F32 multiply_add(F32 a, F32 b, F32 c) { return a * b + c; }
F32 maximum(F32 a, F32 b) {
  return make<F32>(16, [&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
F32 minimum(F32 a, F32 b) {
  return make<F32>(16, [&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
}
float largest(F32 a) {
  float result = a.lane[0];
  for (int i = 1; i < 16; ++i) result = a.lane[i] > result ? a.lane[i] : result;
  return result;
}
F32 round_to_integer(F32 a) {
  return make<F32>(16, [&](int i) { return std::nearbyint(a.lane[i]); });
}
F32 times_power_of_two(F32 a, F32 exponent) {
  return make<F32>(16, [&](int i) {
    if (!(exponent.lane[i] >= -126.0F)) return 0.0F;  // also what an infinity left of a NaN
    const auto biased =
        static_cast<std::uint32_t>(static_cast<std::int32_t>(exponent.lane[i]) + 127);
    return a.lane[i] * std::bit_cast<float>(biased << 23U);
  });
}
F32 zero_where_below(F32 value, F32 x, float limit) {
  return make<F32>(16, [&](int i) { return x.lane[i] < limit ? 0.0F : value.lane[i]; });
}

I32 zero_i32() { return I32{}; }
F32 to_f32(I32 a) {
  return make<F32>(16, [&](int i) { return static_cast<float>(a.lane[i]); });
}
I32 round_to_i32(F32 a) {
  return make<I32>(16, [&](int i) { return static_cast<std::int32_t>(std::nearbyint(a.lane[i])); });
}
void store_i16(std::int16_t* p, I32 a) {
  for (int i = 0; i < 16; ++i) p[i] = static_cast<std::int16_t>(a.lane[i]);
}

Bytes load_bytes(const std::uint8_t* p) {
  Bytes result;
  std::memcpy(result.lane, p, 64);
  return result;
}
void store_bytes(std::uint8_t* p, Bytes a) { std::memcpy(p, a.lane, 64); }
int largest(Bytes a) {
  int result = 0;
  for (const std::uint8_t x : a.lane) result = x > result ? x : result;
  return result;
}
Bytes operator|(Bytes a, Bytes b) {
  return make<Bytes>(64, [&](int i) { return static_cast<std::uint8_t>(a.lane[i] | b.lane[i]); });
}
template <int shift, int bits>
Bytes field(Bytes a) {
  return make<Bytes>(64, [&](int i) {
    return static_cast<std::uint8_t>((a.lane[i] >> shift) & ((1 << bits) - 1));
  });
}
template <int amount>
Bytes shift_left(Bytes a) {
  return make<Bytes>(64, [&](int i) { return static_cast<std::uint8_t>(a.lane[i] << amount); });
}
template <int quarter, int value>
Bytes expand_bits(const std::uint8_t* plane) {
  return make<Bytes>(64, [&](int i) {
    const int byte = plane[(i / 4) * 2 + quarter / 2];
    return static_cast<std::uint8_t>(((byte >> (4 * (quarter % 2) + i % 4)) & 1) * value);
  });
}

Dot zero_dot() { return Dot{}; }
Dot dot4(Dot sums, Bytes codes, const std::int8_t* q) {
  for (int i = 0; i < 64; ++i) sums.lane[i / 4] += codes.lane[i] * q[i % 4];
  return sums;
}
I32 finish(Dot sums) { return sums; }

Pairs load_pairs(const std::int16_t* p) {
  return make<Pairs>(32, [&](int i) { return p[i]; });
}
void store_pairs(std::int16_t* p, Pairs a) { std::memcpy(p, a.lane, sizeof(a.lane)); }
// Of every 16 bytes eight belong to the first two rows.
Pairs pairs_from(const Bytes& codes, int half) {
  return make<Pairs>(32, [&](int i) {
    return static_cast<std::int16_t>(codes.lane[i / 8 * 16 + half * 8 + i % 8] * 256);
  });
}
Pairs first_pairs(Bytes codes) { return pairs_from(codes, 0); }
Pairs last_pairs(Bytes codes) { return pairs_from(codes, 1); }
Pairs scaled(Pairs a, std::int16_t middle, const std::int16_t* factors) {
  return make<Pairs>(32, [&](int i) {
    const auto difference = static_cast<std::int16_t>(a.lane[i] - middle);
    return static_cast<std::int16_t>((difference * factors[i % 2] + 0x4000) >> 15);
  });
}
void store_factors(std::int16_t* p, const std::uint8_t* codes, int largest, int drop) {
  for (int i = 0; i < 64; ++i) {
    const int exponent = 11 + codes[i] / 8 - largest;
    const int factor = exponent < 0 || exponent > 11 ? 0 : (8 + codes[i] % 8) << exponent;
    p[i] = static_cast<std::int16_t>(factor >> drop);
  }
}
I32 dot2(I32 sums, Pairs values, const std::int16_t* weights) {
  for (int i = 0; i < 32; ++i) sums.lane[i / 2] += values.lane[i] * weights[i % 2];
  return sums;
}
