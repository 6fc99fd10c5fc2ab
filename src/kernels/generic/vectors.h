// The operations on vectors: what compilers can say for every instruction set, and what its own
// header says for registers.

template <typename T>
inline Vector<T> load(const T* p) {
  const auto* const registers = reinterpret_cast<const typename Vector<T>::InMemory*>(p);
  return make<T>([&](int i) { return registers[i]; });
}
template <typename T>
inline void store(T* p, Vector<T> a) {
  auto* const registers = reinterpret_cast<typename Vector<T>::InMemory*>(p);
  for (int i = 0; i < n_registers; ++i) registers[i] = a.v[i];
}
inline F32 splat(float x) {
  return make<float>([&](int) { return x - Register<float>{}; });
}

inline F32 operator+(F32 a, F32 b) {
  return make<float>([&](int i) { return a.v[i] + b.v[i]; });
}
inline F32 operator-(F32 a, F32 b) {
  return make<float>([&](int i) { return a.v[i] - b.v[i]; });
}
inline F32 operator*(F32 a, F32 b) {
  return make<float>([&](int i) { return a.v[i] * b.v[i]; });
}
inline F32 operator/(F32 a, F32 b) {
  return make<float>([&](int i) { return a.v[i] / b.v[i]; });
}
inline F32 maximum(F32 a, F32 b) {
  return make<float>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
inline F32 minimum(F32 a, F32 b) {
  return make<float>([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
// value, but 0 in lanes where x < limit
inline F32 zero_where_below(F32 value, F32 x, float limit) {
  return make<float>([&](int i) { return x.v[i] >= limit ? value.v[i] : Register<float>{}; });
}
// 2^n of the integer n = -126 … 127 that the lowest bits of each lane are
inline F32 power_of_two(F32 a) {
  return make<float>([&](int i) {
    const auto bits = as<std::uint32_t>(a.v[i]);
    return as<float>((bits + 127) << 23);
  });
}
// Not I32{}: where many are set to that, g++ calls memset and they stay in memory.
inline I32 zero_i32() {
  return make<std::int32_t>([&](int) { return Register<std::int32_t>{}; });
}
template <typename T>
inline F32 to_f32(Vector<T> a) {
  return make<float>([&](int i) { return __builtin_convertvector(a.v[i], Register<float>); });
}

inline Bytes operator|(Bytes a, Bytes b) {
  return make<std::uint8_t>([&](int i) { return a.v[i] | b.v[i]; });
}
// bits shift … shift + bits − 1 of each byte
template <int shift, int bits>
inline Bytes field(Bytes a) {
  return make<std::uint8_t>([&](int i) {
    const auto shifted = as<std::uint16_t>(a.v[i]) >> shift;
    return as<std::uint8_t>(shifted) & std::uint8_t{(1 << bits) - 1};
  });
}
// each byte shifted; no bit may leave its byte
template <int amount>
inline Bytes shift_left(Bytes a) {
  return make<std::uint8_t>([&](int i) {
    const auto shifted = as<std::uint16_t>(a.v[i]) << amount;
    return as<std::uint8_t>(shifted);
  });
}

inline F32 multiply_add(F32 a, F32 b, F32 c) {
  return make<float>([&](int i) { return multiply_add(a.v[i], b.v[i], c.v[i]); });
}
inline F32 load_halves(const void* p) {
  const auto* const bytes = static_cast<const std::uint8_t*>(p);
  return make<float>([&](int i) { return widen_halves(bytes + i * register_bytes / 2); });
}
// 16 scales (kernels/scale_code.h); lowest: the bits of the float that code 0 stands for
inline F32 load_scales(const std::uint8_t* p, std::uint32_t lowest) {
  return make<float>([&](int i) {
    const Register<std::uint32_t> codes = widen(p + i * register_bytes / 4);
    return as<float>((codes << 20) + lowest);
  });
}
template <typename T>
inline T largest(Vector<T> a) {
  Register<T> most = a.v[0];
  for (int i = 1; i < n_registers; ++i) most = a.v[i] > most ? a.v[i] : most;
  return largest(most);
}
// a quarter of a block's plane of single bits (kernels/bit_planes.h): 0 or `value` per code
template <int quarter, int value>
inline Bytes expand_bits(const std::uint8_t* plane) {
  // The byte that holds this quarter's four bits is copied to the row's four codes, which test one
  // bit each.
  constexpr std::uint32_t first = 1U << (4 * (quarter % 2));
  const auto bit = repeated<std::uint8_t>(first | first << 9U | first << 18U | first << 27U);
  return make<std::uint8_t>([&](int i) {
    return where_set(copies<quarter / 2>(plane + i * register_bytes / 2), bit, value);
  });
}
// the first and the last two of the four rows in a quarter of a block of values, codes times 2^8
inline Pairs first_pairs(Bytes codes) {
  return make<std::int16_t>([&](int i) { return first_pairs(codes.v[i]); });
}
inline Pairs last_pairs(Bytes codes) {
  return make<std::int16_t>([&](int i) { return last_pairs(codes.v[i]); });
}
// (a − middle) · factors[row] / 2^15, rounded; modulo 2^16 the difference is right
inline Pairs scaled(Pairs a, std::int16_t middle, const std::int16_t* factors) {
  const Register<std::int16_t> two = repeated(factors);
  return make<std::int16_t>([&](int i) {
    const auto difference = as<std::uint16_t>(a.v[i]) - static_cast<std::uint16_t>(middle);
    return rounded_product(as<std::int16_t>(difference), two);
  });
}
// adds to each channel's sum its values of two rows times weights[0 … 1]
inline I32 dot2(I32 sums, Pairs values, const std::int16_t* weights) {
  const Register<std::int16_t> two = repeated(weights);
  return make<std::int32_t>([&](int i) { return dot2(sums.v[i], values.v[i], two); });
}
