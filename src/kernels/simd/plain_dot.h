// Running 4-way products of bytes where an instruction adds them to one sum per row.

using Dot = I32;

inline Dot dot4(Dot sums, Bytes codes, const std::int8_t* q) {
  const Register<std::int8_t> four = repeated(q);
  return make<std::int32_t>([&](int i) { return dot4(sums.v[i], codes.v[i], four); });
}
inline I32 finish(Dot sums) { return sums; }
