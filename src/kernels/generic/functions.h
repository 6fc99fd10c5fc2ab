// exp and tanh for 16 lanes, and how a loop over rows is cut into batches of a fixed size.

// exp(x) for x <= 0, relative error below 2e-7: 2^n · e^f with |f| <= ln 2 / 2, Cephes' polynomial.
// 0 below -87, so that an invisible cell (-inf) weighs exactly nothing.
inline F32 exp_not_positive(F32 x) {
  const F32 bounded = maximum(x, splat(-88.0F));
  const F32 n = round_to_integer(bounded * splat(1.44269504088896341F));
  F32 f = multiply_add(n, splat(-0.693359375F), bounded);
  f = multiply_add(n, splat(2.12194440e-4F), f);
  F32 p = splat(1.9875691500e-4F);
  p = multiply_add(p, f, splat(1.3981999507e-3F));
  p = multiply_add(p, f, splat(8.3334519073e-3F));
  p = multiply_add(p, f, splat(4.1665795894e-2F));
  p = multiply_add(p, f, splat(1.6666665459e-1F));
  p = multiply_add(p, f, splat(5.0000001201e-1F));
  p = multiply_add(p * f, f, f + splat(1.0F));
  return zero_where_below(times_power_of_two(p, n), x, -87.0F);
}

// tanh(x) = sign(x) · (1 − e) / (1 + e) with e = exp(−2·|x|); absolute error below 2e-7.
inline F32 hyperbolic_tangent(F32 x) {
  const F32 magnitude = maximum(x, splat(0.0F) - x);
  const F32 e = exp_not_positive(magnitude * splat(-2.0F));
  const F32 result = (splat(1.0F) - e) / (splat(1.0F) + e);
  return zero_where_below(result + result, x, 0.0F) - result;
}

template <int value>
struct Constant {
  static constexpr int n = value;
};

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
