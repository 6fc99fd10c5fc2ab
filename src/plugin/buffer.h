#pragma once

#include "cache/cache_table.h"
#include "plugin/host_version.h"

namespace kvsplit::plugin {

/// The one buffer type of our device, which device.cpp enters. It is no host memory in ggml's
/// sense, though it is memory of the host: ggml reads such memory behind our back, and packed rows
/// are no numbers to it.
ggml_backend_buffer_type& buffer_type();

/// Whether a tensor is a cache of ours, or a view of one. Its buffer may be one without memory, as
/// hosts make them to reckon what would fit.
bool is_cache(const ggml_tensor& tensor);

/// The cache that a tensor is, or is a view of; nullptr: none. Caches are known by their place, not
/// by the host's tensor: an RPC server makes new tensors for every graph.
HostedTensor* find_cache(const ggml_tensor& tensor);

/// The table of the buffer that holds the cache that `tensor` is, or is a view of.
CacheTable& table_of(const ggml_tensor& tensor);

}  // namespace kvsplit::plugin
