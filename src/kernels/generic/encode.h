// Queries: mapped into the space of a plan's keys, and made codes.

// N rows of `in` times B vectors of columns, so that each load of the matrix serves N rows.
template <int N, int B>
inline void map_block(const float* matrix, int n, int n_columns, const QueryMap& map, int first_row,
                      int first_column) {
  const float* const in = map.in + first_row * max_query_channels;
  F32 sums[N][B];
  for (auto& of_row : sums) {
    for (F32& sum : of_row) sum = splat(0.0F);
  }
  for (int i = 0; i < n; ++i, matrix += n_columns) {
    F32 row[B];
    for (int b = 0; b < B; ++b) row[b] = load(matrix + first_column + b * lanes);
    for (int r = 0; r < N; ++r) {
      const F32 x = splat(in[r * max_query_channels + i]);
      for (int b = 0; b < B; ++b) sums[r][b] = multiply_add(x, row[b], sums[r][b]);
    }
  }
  for (int r = 0; r < N; ++r) {
    float* const out = map.out + (first_row + r) * max_query_channels + first_column;
    for (int b = 0; b < B; ++b) store(out + b * lanes, sums[r][b]);
  }
}

void map_queries(const float* matrix, int n, int n_columns, const QueryMap& map) {
  in_batches<4>(map.n_rows, [&](auto rows, int first_row) {
    in_batches<2>(map.n_out / lanes, [&](auto columns, int first) {
      map_block<decltype(rows)::n, decltype(columns)::n>(matrix, n, n_columns, map, first_row,
                                                         first * lanes);
    });
  });
}

// Adding 1.5 · 2^23 leaves the nearest integer in the lowest bits, and 0 of a NaN, which no cast to
// an integer may see.
inline I32 nearest_of_16_bits(F32 a) {
  const F32 sum = a + splat(rounding);
  return make<std::int32_t>(
      [&](int i) { return as<std::int32_t>(as<std::uint32_t>(sum.v[i]) << 16) >> 16; });
}

float encode_numbers(const float* numbers, std::int8_t* codes, std::int8_t* low_codes, int& sum) {
  const F32 x = load(numbers);
  const float most = largest(maximum(x, splat(0.0F) - x));
  const float largest_code = low_codes == nullptr ? 127.0F : 127.0F * 256 + 127;
  const float inverse = most > 0 ? largest_code / most : 0.0F;
  std::int16_t wide[lanes];
  store_i16(wide, nearest_of_16_bits(x * splat(inverse)));
  sum = 0;
  for (const std::int16_t code : wide) sum += code;
  for (int i = 0; i < lanes; ++i) {
    // The low code is the lower byte as a signed one; what it borrows, the upper one has more.
    codes[i] = static_cast<std::int8_t>(low_codes == nullptr ? wide[i] : (wide[i] + 128) >> 8);
    if (low_codes != nullptr) low_codes[i] = static_cast<std::int8_t>(wide[i]);
  }
  return most / largest_code;
}
