#pragma once

#include <optional>

#include "cache/cache_table.h"
#include "cache/precision.h"

struct ggml_backend_reg;
struct ggml_tensor;

/// The face of plugin/ to the rooms above it, free of ggml's insides. `libggml-kvsplit.so` exports
/// ggml_backend_init() instead; the `kvsplit` program registers the same device from within.
namespace kvsplit::plugin {

/// The registry with our one device, "KVSPLIT"; nullptr (and one line in ggml's log) where the
/// running ggml is not the one this was compiled for.
ggml_backend_reg* backend_reg();

/// Precision of caches that this process allocates from now on; wins over $KVSPLIT and over
/// nominal cache types. For programs that make several caches.
void set_precision(const Precision& precision);

/// The rows of a cache, if the tensor is the host's for one: its name tells.
std::optional<NominalRows> as_cache(const ggml_tensor& tensor);

/// What this process has allocated for caches on KVSPLIT since the last reset_allocated().
CacheSum allocated();
void reset_allocated();

}  // namespace kvsplit::plugin
