// A vector has 64 bytes, in as many registers of `register_bytes` as that takes: 16 lanes of 32
// bits, one per row of a tile, or as many more as numbers are smaller. Included by an instruction
// set's header, inside its namespace and target region, once that has defined register_bytes.
// What the header then says is about registers; scalar.h has what each function means.

constexpr int n_registers = 64 / register_bytes;

template <typename T>
struct Vector {
  using Register [[gnu::vector_size(register_bytes)]] = T;
  using InMemory [[gnu::vector_size(register_bytes), gnu::aligned(1), gnu::may_alias]] = T;
  Register v[n_registers];
};
template <typename T>
using Register = typename Vector<T>::Register;

using F32 = Vector<float>;
using I32 = Vector<std::int32_t>;
using Bytes = Vector<std::uint8_t>;  // 64 codes
using Pairs = Vector<std::int16_t>;  // 16 channels of two rows

template <typename T, typename Function>
inline Vector<T> make(const Function& function) {
  if constexpr (n_registers == 1) {
    return {{function(0)}};
  } else if constexpr (n_registers == 2) {
    return {{function(0), function(1)}};
  } else {
    return {{function(0), function(1), function(2), function(3)}};
  }
}
template <typename T, typename Bits>
inline Register<T> as(Bits bits) {
  return reinterpret_cast<Register<T>>(bits);
}
// 32 bits as four 8-bit or two 16-bit integers, again and again
template <typename T>
inline Register<T> repeated(std::uint32_t bits) {
  return as<T>(bits + Register<std::uint32_t>{});
}
template <typename T>
inline Register<T> repeated(const T* p) {
  std::uint32_t bits;
  std::memcpy(&bits, p, sizeof(bits));
  return repeated<T>(bits);
}
