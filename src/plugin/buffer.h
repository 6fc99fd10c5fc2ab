#pragma once

#include <string>
#include <vector>

#include "cache/hosted_tensor.h"
#include "plugin/host_version.h"

namespace kvsplit::plugin {

/// The one buffer type of our device, which device.cpp enters. It is no host memory in ggml's sense,
/// though it is memory of the host: ggml reads such memory behind our back, and packed rows are no
/// numbers to it.
ggml_backend_buffer_type& buffer_type();

/// Whether a tensor is a cache of ours, or a view of one. Its buffer may be one without memory, as
/// hosts make them to reckon what would fit.
bool is_cache(const ggml_tensor& tensor);

/// The cache that a tensor is, or is a view of; nullptr: none. Caches are known by their place, not
/// by the host's tensor: an RPC server makes new tensors for every graph.
HostedTensor* find_cache(const ggml_tensor& tensor);

/// HostedTensor::unpack() for the cache that a tensor is a view of, if that is one and packed.
void leave_unpacked(const ggml_tensor& tensor, const std::string& why);

/// Moves the caches that share a buffer with the cache that `tensor` is, if it is one, to `caches`:
/// those of which nothing was told yet, or something else.
void take_unreported(const ggml_tensor& tensor, std::vector<const HostedTensor*>& caches);

}  // namespace kvsplit::plugin
