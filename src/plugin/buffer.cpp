#include "plugin/buffer.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>

#include "base/no_throw.h"
#include "base/pages.h"
#include "plugin/process.h"

namespace kvsplit::plugin {
namespace {

struct Buffer {
  explicit Buffer(std::size_t size) : memory(size) {}

  Pages memory;
  /// By address; one that has moved by that of its new memory too.
  std::map<const std::byte*, std::shared_ptr<HostedTensor>> caches;
  std::vector<const HostedTensor*> unreported;
  bool refusing = false;  // the last rows stored were refused, and that was said
};

Buffer& buffer_of(ggml_backend_buffer* buffer) { return *static_cast<Buffer*>(buffer->context); }

const ggml_tensor& root_of(const ggml_tensor& tensor) {
  return tensor.view_src == nullptr ? tensor : root_of(*tensor.view_src);
}

std::byte* bytes_of(const ggml_tensor& tensor) { return static_cast<std::byte*>(tensor.data); }

// Cheap enough for every source of every node of a graph.
bool may_be_cache(const ggml_tensor& root) {
  return root.buffer != nullptr && root.buffer->buft == &buffer_type() &&
         std::memcmp(static_cast<const char*>(root.name), "cache_", 6) == 0;
}

bool host_rotation_disabled() {
  const char* const text = std::getenv("LLAMA_ATTN_ROT_DISABLE");
  return text != nullptr && std::atoi(text) != 0;  // NOLINT(cert-err34-c): as the host reads it
}

int bits_of_quantised(ggml_type type) {
  if (type == GGML_TYPE_Q8_0) return 8;
  if (type == GGML_TYPE_Q5_0 || type == GGML_TYPE_Q5_1) return 5;
  if (type == GGML_TYPE_Q4_0 || type == GGML_TYPE_Q4_1 || type == GGML_TYPE_IQ4_NL) return 4;
  return 0;
}

std::optional<NominalRows> as_cache(const ggml_tensor& tensor) {
  std::optional<NominalRows> rows = parse_cache_name(static_cast<const char*>(tensor.name));
  if (!rows) return rows;
  rows->cells = {tensor.ne[1], tensor.ne[2]};
  rows->n_channels = tensor.ne[0];
  rows->row_bytes = tensor.nb[1];
  rows->type = ggml_type_name(tensor.type);
  rows->quantised = ggml_is_quantized(tensor.type);
  rows->bits = bits_of_quantised(tensor.type);
  rows->host_rotates = rows->quantised && !host_rotation_disabled();
  return rows;
}

// A view that came over RPC without the tensor that it is a view of.
HostedTensor* cache_around(const Buffer& buffer, const std::byte* data) {
  auto after = buffer.caches.upper_bound(data);
  if (after == buffer.caches.begin()) return nullptr;
  const auto& [address, cache] = *--after;
  return data < address + cache->nominal().bytes() ? cache.get() : nullptr;
}

HostedTensor* cache_at(Buffer& buffer, const ggml_tensor& root) {
  const auto known = buffer.caches.find(bytes_of(root));
  if (known != buffer.caches.end()) return known->second.get();
  std::optional<NominalRows> nominal = as_cache(root);
  if (!nominal) return cache_around(buffer, bytes_of(root));
  HostedFormat format = choose_format(*nominal, chosen_precision());
  auto cache =
      std::make_shared<HostedTensor>(std::move(*nominal), std::move(format), bytes_of(root));
  count_allocated(*cache, true);
  buffer.unreported.push_back(cache.get());
  return (buffer.caches[bytes_of(root)] = std::move(cache)).get();
}

void read(ggml_backend_buffer* /*buffer*/, const ggml_tensor* tensor, void* data,
          std::size_t offset, std::size_t size) {
  const HostedTensor* const cache = find_cache(*tensor);
  if (cache == nullptr) {
    std::memcpy(data, bytes_of(*tensor) + offset, size);
  } else if (cache->packed() && tensor->op == GGML_OP_PERMUTE) {
    // This is the view that attention is given: a host copies it to attend on another device, where
    // packed rows would pass for numbers. NaNs cannot.
    std::memset(data, 0xFF, size);
    log_error(cache->name() + ": attention was placed on a device that cannot read packed rows");
  } else {
    const auto begin = static_cast<std::size_t>(bytes_of(*tensor) - cache->address());
    cache->load(begin + offset, {static_cast<std::byte*>(data), size});
  }
}

void write(ggml_backend_buffer* buffer, ggml_tensor* tensor, const void* data, std::size_t offset,
           std::size_t size) {
  HostedTensor* const cache = find_cache(*tensor);
  if (cache == nullptr) {
    std::memcpy(bytes_of(*tensor) + offset, data, size);
    return;
  }
  const auto begin = static_cast<std::size_t>(bytes_of(*tensor) - cache->address());
  const bool refused = !cache->store(begin + offset, {static_cast<const std::byte*>(data), size});
  if (refused && !buffer_of(buffer).refusing) {
    report_refused(cache->name() +
                   ": session refused: saved with another cache precision or without "
                   "kvsplit; start the program as it was when it saved, or begin anew");
  }
  buffer_of(buffer).refusing = refused;
}

bool copy(ggml_backend_buffer* buffer, const ggml_tensor* from, ggml_tensor* to) {
  ggml_backend_buffer* const source = root_of(*from).buffer;
  if (source->buft != &buffer_type() && !ggml_backend_buffer_is_host(source)) return false;
  HostedTensor* const cache = find_cache(*from);
  if (cache != nullptr && cache == find_cache(*to) &&
      cache->copy_stream(static_cast<std::size_t>(bytes_of(*from) - cache->address()),
                         static_cast<std::size_t>(bytes_of(*to) - cache->address()),
                         ggml_nbytes(from))) {
    return true;
  }
  std::vector<std::byte> bytes(ggml_nbytes(from));
  read(source, from, bytes.data(), 0, bytes.size());
  write(buffer, to, bytes.data(), 0, bytes.size());
  return true;
}

void fill(ggml_backend_buffer* buffer, ggml_tensor* tensor, std::uint8_t value, std::size_t offset,
          std::size_t size) {
  const std::vector<std::uint8_t> bytes(size, value);
  write(buffer, tensor, bytes.data(), offset, size);
}

void clear(ggml_backend_buffer* buffer, std::uint8_t value) {
  Buffer& ours = buffer_of(buffer);
  ours.refusing = false;
  ours.memory.zero();
  for (const auto& [address, cache] : ours.caches) cache->cleared();
  if (value != 0 && ours.caches.empty()) std::memset(ours.memory.data(), value, buffer->size);
}

ggml_status meet(ggml_backend_buffer* /*buffer*/, ggml_tensor* tensor) {
  find_cache(*tensor);
  return GGML_STATUS_SUCCESS;
}

template <auto function, auto failure>
using Guarded = no_throw<function, failure, log_error>;

ggml_backend_buffer* allocate(ggml_backend_buffer_type* type, std::size_t size) {
  ggml_backend_buffer_i functions{};
  functions.free_buffer = [](ggml_backend_buffer* buffer) {
    const std::unique_ptr<Buffer> ours(&buffer_of(buffer));
  };
  functions.get_base = [](ggml_backend_buffer* buffer) -> void* {
    return buffer_of(buffer).memory.data();
  };
  functions.init_tensor = Guarded<meet, GGML_STATUS_ALLOC_FAILED>::call;
  functions.memset_tensor = Guarded<fill, 0>::call;
  functions.set_tensor = Guarded<write, 0>::call;
  functions.get_tensor = Guarded<read, 0>::call;
  functions.cpy_tensor = Guarded<copy, false>::call;
  functions.clear = Guarded<clear, 0>::call;
  return ggml_backend_buffer_init(type, functions, std::make_unique<Buffer>(size).release(), size);
}

// A cache of a quantised type keeps its nominal size: hosts that speak over RPC insist on that.
std::size_t bytes_needed(ggml_backend_buffer_type* /*type*/, const ggml_tensor* tensor) {
  const auto nominal = tensor->view_src == nullptr ? as_cache(*tensor) : std::nullopt;
  if (!nominal || nominal->quantised) return ggml_nbytes(tensor);
  const HostedFormat format = choose_format(*nominal, chosen_precision());
  return format.rows ? PackedTensor::bytes(*format.rows, nominal->cells) : ggml_nbytes(tensor);
}

ggml_backend_buffer_type make_buffer_type() {
  ggml_backend_buffer_type type{};
  type.iface.get_name = [](ggml_backend_buffer_type*) { return "KVSPLIT"; };
  type.iface.alloc_buffer = Guarded<allocate, nullptr>::call;
  type.iface.get_alignment = [](ggml_backend_buffer_type*) { return std::size_t{64}; };
  type.iface.get_alloc_size = Guarded<bytes_needed, SIZE_MAX>::call;
  type.iface.is_host = [](ggml_backend_buffer_type*) { return false; };
  return type;
}

}  // namespace

ggml_backend_buffer_type& buffer_type() {
  static ggml_backend_buffer_type type = make_buffer_type();
  return type;
}

bool is_cache(const ggml_tensor& tensor) {
  const ggml_tensor& root = root_of(tensor);
  return may_be_cache(root) && parse_cache_name(static_cast<const char*>(root.name));
}

HostedTensor* find_cache(const ggml_tensor& tensor) {
  const ggml_tensor& root = root_of(tensor);
  if (!may_be_cache(root) || root.buffer->context == nullptr || root.data == nullptr)
    return nullptr;
  return cache_at(buffer_of(root.buffer), root);
}

void leave_unpacked(const ggml_tensor& tensor, const std::string& why) {
  HostedTensor* const cache = find_cache(tensor);
  if (cache == nullptr || !cache->packed()) return;
  count_allocated(*cache, false);
  cache->unpack(why);
  count_allocated(*cache, true);
  auto& [memory, caches, unreported, refusing] = buffer_of(root_of(tensor).buffer);
  caches[cache->nominal_rows()] = caches[cache->address()];
  if (std::ranges::find(unreported, cache) == unreported.end()) unreported.push_back(cache);
}

void take_unreported(const ggml_tensor& tensor, std::vector<const HostedTensor*>& caches) {
  if (find_cache(tensor) == nullptr) return;
  std::vector<const HostedTensor*>& unreported = buffer_of(root_of(tensor).buffer).unreported;
  caches.insert(caches.end(), unreported.begin(), unreported.end());
  unreported.clear();
}

}  // namespace kvsplit::plugin
