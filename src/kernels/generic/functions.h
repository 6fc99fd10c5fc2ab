// exp2 and tanh for 16 lanes, and how a loop over rows is cut into batches of a fixed size.

// Floats of its size are integers: adding it rounds, and the sum's low bits are the integer.
constexpr float rounding = 0x1.8p23F;

// The integers nearest to a · factor.
inline I32 rounded_product(F32 a, float factor) {
  const F32 sum = multiply_add(a, splat(factor), splat(rounding));
  return make<std::int32_t>(
      [&](int i) { return as<std::int32_t>(sum.v[i]) - std::bit_cast<std::int32_t>(rounding); });
}

// 2^x for x <= 0: 2^n · 2^f with |f| <= 1/2, the polynomial of degree 5 whose largest relative
// error is least (Remez), its constant made 1: below 2e-7.
// 0 below -126, so that an invisible cell (-inf) weighs exactly nothing.
inline F32 exp2_not_positive(F32 x) {
  const F32 n = x + splat(rounding);
  const F32 f = x - (n - splat(rounding));
  F32 p = splat(1.327647198e-3F);
  p = multiply_add(p, f, splat(9.675541333e-3F));
  p = multiply_add(p, f, splat(5.550713274e-2F));
  p = multiply_add(p, f, splat(2.402211972e-1F));
  p = multiply_add(p, f, splat(6.931469671e-1F));
  p = multiply_add(p, f, splat(1.0F));
  return zero_where_below(p * power_of_two(n), x, -126.0F);
}

// tanh(x) = sign(x) · (1 − e) / (1 + e) with e = exp(−2·|x|); absolute error below 2e-7.
inline F32 hyperbolic_tangent(F32 x) {
  constexpr float two_log2_e = 2.885390082F;
  const F32 magnitude = maximum(x, splat(0.0F) - x);
  const F32 e = exp2_not_positive(magnitude * splat(-two_log2_e));
  const F32 result = (splat(1.0F) - e) / (splat(1.0F) + e);
  return zero_where_below(result + result, x, 0.0F) - result;
}

template <int value>
struct Constant {
  static constexpr int n = value;
};

// The functions that of(Constant<width>{}) names, in the order of the widths.
template <int... widths, typename Of>
constexpr auto by_width(const Of& of) {
  return std::array{of(Constant<widths>{})...};
}

// Calls work(Constant<n>, first) for batches of `most` rows, then once for what is left.
template <int most, typename Work>
inline void leftover_batch(int first, int n, const Work& work) {
  if constexpr (most > 0) {
    if (n == most) {
      work(Constant<most>{}, first);
    } else {
      leftover_batch<most - 1>(first, n, work);
    }
  }
}

template <int most, typename Work>
inline void in_batches(int n, const Work& work) {
  int first = 0;
  for (; first + most <= n; first += most) work(Constant<most>{}, first);
  leftover_batch<most - 1>(first, n - first, work);
}
