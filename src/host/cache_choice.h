#pragma once

#include <ggml.h>

#include <string>
#include <string_view>

#include "cache/precision.h"

namespace kvsplit::host {

/// Which cache a context gets: a packed one of ours, or one of llama.cpp's own types.
struct CacheChoice {
  bool is_packed = true;
  Precision precision = {};                                  ///< of a packed one
  ggml_type k_type = GGML_TYPE_F16, v_type = GGML_TYPE_F16;  ///< of one of llama.cpp's own

  /// As the user writes it: "K8V4" or "q8_0/q4_0".
  std::string name() const;
  int k_bits() const;
  int v_bits() const;
};

CacheChoice kvsplit_cache(const Precision&);

/// "q8_0/q4_0" or "q8_0" (both sides). Error: no cache type of llama.cpp; the message lists them.
CacheChoice parse_stock_cache(std::string_view text);

}  // namespace kvsplit::host
