#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/half.h"
#include "cache/attention.h"
#include "cache/plan.h"
#include "codec/row_format.h"
#include "support/cache_fixture.h"

namespace kvsplit::test {

struct SceneShape {
  int head_dim_k = 64, head_dim_v = 64;
  int n_kv_heads = 3, group_size = 3;
  int n_tokens = 1, n_streams = 1;
  std::int64_t n_kv = 256;
  int unseen_cells = 0;  ///< of each stream, behind the n_kv that are looked at
  Precision precision;
  std::optional<RowFormat> k_format, v_format;  ///< instead of those of `precision`

  int n_heads() const { return n_kv_heads * group_size; }
  CellShape cells() const { return {n_kv + unseen_cells, n_streams}; }
};

/// A filled cache with a call on it; every part can be changed before attending.
struct Scene {
  explicit Scene(const SceneShape& s, unsigned seed = 1);

  Half& mask_at(int stream, int token, std::int64_t cell) {
    return mask[(static_cast<std::size_t>(stream) * shape.n_tokens + token) * shape.n_kv + cell];
  }
  /// Tokens see the cells up to their own, the last token all of them.
  void make_causal();

  /// Fills `out`.
  void attend(int n_threads = 2) { attend(*k, *v, n_threads); }
  /// The same call on other tensors of the same formats.
  void attend(const PackedTensor& keys, const PackedTensor& values, int n_threads);

  /// `out` against the oracle with queries rounded alike: what is left is arithmetic.
  void expect_oracle();
  /// `out` against the oracle with exact queries: what rounding them to 8 bits may cost.
  void expect_exact_oracle_within_query_rounding();

  SceneShape shape;
  OwnedTensor k, v;
  std::vector<float> q;
  std::vector<Half> mask;
  std::vector<float> out;
  AttentionCall call;
};

}  // namespace kvsplit::test
