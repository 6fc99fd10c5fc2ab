#pragma once

#include <cstdint>
#include <string>

namespace kvsplit::bench {

/// The heads of one layer, in shapes that real models have.
struct Model {
  const char* name;
  int head_dim, n_kv_heads, group_size;  ///< group_size: query heads of a KV head

  int n_channels() const { return n_kv_heads * head_dim; }
  int n_heads() const { return n_kv_heads * group_size; }
  bool operator==(const Model&) const = default;
};

inline constexpr Model models[] = {{"3x64_group3", 64, 3, 3},
                                   {"8x128_group4", 128, 8, 4},
                                   {"1x256_group4", 256, 1, 4},
                                   {"2x64_group7", 64, 2, 7}};

inline constexpr std::int64_t n_cells = 8192;  ///< of each layer

/// "Decode", a model, "K4V4" → "Decode/3x64_group3/K4V4"
inline std::string line_name(const std::string& what, const Model& model, const std::string& how) {
  return what + "/" + model.name + "/" + how;
}

}  // namespace kvsplit::bench
