#pragma once

#include <string>
#include <string_view>

#include "cache/precision.h"

namespace kvsplit::host {

enum class Engine { kvsplit, stock };

std::string_view to_string(Engine);

/// Which cache a context gets: a packed one of ours, or one of llama.cpp's own types.
struct CacheChoice {
  Engine engine = Engine::kvsplit;
  Precision precision;                         ///< of kvsplit
  std::string k_type = "f16", v_type = "f16";  ///< of stock, as llama.cpp's -ctk and -ctv name them

  /// As the user writes it: "K8V4" or "q8_0/q4_0".
  std::string name() const;
  int k_bits() const;
  int v_bits() const;
};

CacheChoice kvsplit_cache(const Precision&);

/// "q8_0/q4_0" or "q8_0" (both sides). Error: no cache type of llama.cpp; the message lists them.
CacheChoice parse_stock_cache(std::string_view text);

/// The number of ggml's type of that name. Error: as above.
int cache_type(const std::string& name);

}  // namespace kvsplit::host
