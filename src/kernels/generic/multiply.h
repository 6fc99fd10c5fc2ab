// A vector times a matrix, for the maps of a plan. Products are rounded before they are added, and
// in one order everywhere: encoded bytes must be the same on every machine.

template <int B>
inline void multiply_columns(const float* matrix, int n, int n_columns, const float* in,
                             float* out) {
  F32 even[B];
  F32 odd[B];
  for (int b = 0; b < B; ++b) even[b] = odd[b] = splat(0.0F);
  const float* row = matrix;
  for (int i = 0; i < n; i += 2, row += 2 * n_columns) {
    const F32 x = splat(in[i]);
    const F32 y = splat(in[i + 1]);
    for (int b = 0; b < B; ++b) {
      even[b] = even[b] + x * load(row + b * lanes);
      odd[b] = odd[b] + y * load(row + n_columns + b * lanes);
    }
  }
  for (int b = 0; b < B; ++b) store(out + b * lanes, even[b] + odd[b]);
}

void multiply(const float* matrix, int n, int n_columns, int n_out, const float* in, float* out) {
  in_batches<4>(n_out / lanes, [&](auto batch, int first) {
    multiply_columns<decltype(batch)::n>(matrix + first * lanes, n, n_columns, in,
                                         out + first * lanes);
  });
}
