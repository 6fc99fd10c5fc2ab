// Plain C++, with the vectors of 16 bytes that compilers know on every processor: what the
// functions of an instruction set mean, and what runs where nothing better is. Included inside the
// namespace of an instruction set, like its siblings, after the headers that the .cpp includes.

constexpr int row_batch = 4;    // query rows worked on at once, with values
constexpr int score_batch = 4;  // and with keys
constexpr int score_sums = 4;  // scores that fit the registers, with their Dots and what they share

constexpr int register_bytes = 16;
#include "kernels/simd/registers.h"

template <typename T, typename Function>
Register<T> make_lanes(const Function& function) {
  Register<T> result{};
  for (int i = 0; i < register_bytes / static_cast<int>(sizeof(T)); ++i) result[i] = function(i);
  return result;
}
template <typename T>
T largest_lane(Register<T> a) {
  T most = a[0];
  for (int i = 1; i < register_bytes / static_cast<int>(sizeof(T)); ++i) {
    most = a[i] > most ? a[i] : most;
  }
  return most;
}

// a · b + c, rounded once where the instruction set can
Register<float> multiply_add(Register<float> a, Register<float> b, Register<float> c) {
  return a * b + c;
}
// f16 numbers, as many as the register takes
Register<float> widen_halves(const std::uint8_t* p) {
  Half halves[4];
  std::memcpy(halves, p, sizeof(halves));
  return make_lanes<float>([&](int i) { return half_to_float(halves[i]); });
}
// bytes, as many as the register takes when they have 32 bits each
Register<std::uint32_t> widen(const std::uint8_t* p) {
  return make_lanes<std::uint32_t>([&](int i) { return p[i]; });
}
float largest(Register<float> a) { return largest_lane<float>(a); }
std::uint8_t largest(Register<std::uint8_t> a) { return largest_lane<std::uint8_t>(a); }
// the 16 lanes as 16-bit integers; they must fit
void store_i16(std::int16_t* p, I32 a) {
  for (int i = 0; i < 16; ++i) p[i] = static_cast<std::int16_t>(a.v[i / 4][i % 4]);
}
// of rows of two bytes each, four copies of one of both
template <int byte>
Register<std::uint8_t> copies(const std::uint8_t* rows) {
  return make_lanes<std::uint8_t>([&](int i) { return rows[i / 4 * 2 + byte]; });
}
// 0, or `value` where a bit is set
Register<std::uint8_t> where_set(Register<std::uint8_t> a, Register<std::uint8_t> bit,
                                 std::uint8_t value) {
  return as<std::uint8_t>((a & bit) == bit) & value;
}
// 64 times (8 + c % 8) · 2^(11 + c / 8 − largest) of scale codes c, shifted right by `drop`;
// anything where c / 8 is above `largest`
void store_factors(std::int16_t* p, const std::uint8_t* codes, int largest, int drop) {
  for (int i = 0; i < 64; ++i) {
    const int exponent = 11 + codes[i] / 8 - largest;
    const int factor = exponent < 0 || exponent > 11 ? 0 : (8 + codes[i] % 8) << exponent;
    p[i] = static_cast<std::int16_t>(factor >> drop);
  }
}
// of every 16 codes the first and the last eight, times 2^8
Register<std::int16_t> first_pairs(Register<std::uint8_t> codes) {
  return make_lanes<std::int16_t>([&](int i) { return codes[i] * 256; });
}
Register<std::int16_t> last_pairs(Register<std::uint8_t> codes) {
  return make_lanes<std::int16_t>([&](int i) { return codes[i + 8] * 256; });
}
// a · b / 2^15, rounded
Register<std::int16_t> rounded_product(Register<std::int16_t> a, Register<std::int16_t> b) {
  return make_lanes<std::int16_t>([&](int i) { return (a[i] * b[i] + 0x4000) >> 15; });
}

// adds to each sum two neighbouring products
Register<std::int32_t> dot2(Register<std::int32_t> sums, Register<std::int16_t> values,
                            Register<std::int16_t> weights) {
  return make_lanes<std::int32_t>([&](int i) {
    return sums[i] + values[2 * i] * weights[2 * i] + values[2 * i + 1] * weights[2 * i + 1];
  });
}
// Running sums of each row's codes, four at a time, times q[0 … 3]. Where instructions want them
// otherwise than one sum per row, finish() gives those.
Register<std::int32_t> dot4(Register<std::int32_t> sums, Register<std::uint8_t> codes,
                            Register<std::int8_t> q) {
  for (int i = 0; i < register_bytes; ++i) sums[i / 4] += codes[i] * q[i];
  return sums;
}
#include "kernels/simd/plain_dot.h"
