#include "plugin/buffer.h"

#include <cstring>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/pages.h"
#include "plugin/plugin.h"
#include "plugin/process.h"

namespace kvsplit::plugin {
namespace {

struct Buffer {
  explicit Buffer(std::size_t size) : memory(size) {}

  Pages memory;
  CacheTable caches{cache_counter()};
};

Buffer& buffer_of(ggml_backend_buffer* buffer) { return *static_cast<Buffer*>(buffer->context); }

const ggml_tensor& root_of(const ggml_tensor& tensor) {
  return tensor.view_src == nullptr ? tensor : root_of(*tensor.view_src);
}

std::byte* bytes_of(const ggml_tensor& tensor) { return static_cast<std::byte*>(tensor.data); }

// Cheap enough for every source of every node of a graph.
bool may_be_cache(const ggml_tensor& root) {
  return computes_nothing(root.op) && root.buffer != nullptr &&
         root.buffer->buft == &buffer_type() &&
         std::memcmp(static_cast<const char*>(root.name), "cache_", 6) == 0;
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
    cache->load(cache->offset_of(tensor->data) + offset, {static_cast<std::byte*>(data), size});
  }
}

void write(ggml_backend_buffer* buffer, ggml_tensor* tensor, const void* data, std::size_t offset,
           std::size_t size) {
  HostedTensor* const cache = find_cache(*tensor);
  if (cache == nullptr) {
    std::memcpy(bytes_of(*tensor) + offset, data, size);
    return;
  }
  const auto* const bytes = static_cast<const std::byte*>(data);
  if (cache->store(cache->offset_of(tensor->data) + offset, {bytes, size})) return;
  if (!buffer_of(buffer).caches.first_refusal()) return;
  report_refused(cache->name() + ": session refused, " + foreign_session);
}

bool copy(ggml_backend_buffer* buffer, const ggml_tensor* from, ggml_tensor* to) {
  ggml_backend_buffer* const source = root_of(*from).buffer;
  if (source->buft != &buffer_type() && !ggml_backend_buffer_is_host(source)) return false;
  HostedTensor* const cache = find_cache(*from);
  if (cache != nullptr && cache == find_cache(*to) &&
      cache->copy_stream(cache->offset_of(from->data), cache->offset_of(to->data),
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
  write(buffer, tensor, std::vector<std::uint8_t>(size, value).data(), offset, size);
}

void clear(ggml_backend_buffer* buffer, std::uint8_t value) {
  Buffer& ours = buffer_of(buffer);
  ours.memory.zero();
  ours.caches.cleared();
  if (value != 0 && ours.caches.empty()) std::memset(ours.memory.data(), value, buffer->size);
}

ggml_status meet(ggml_backend_buffer* /*buffer*/, ggml_tensor* tensor) {
  find_cache(*tensor);
  return GGML_STATUS_SUCCESS;
}

ggml_backend_buffer* allocate(ggml_backend_buffer_type* type, std::size_t size) {
  ggml_backend_buffer_i functions{};
  functions.free_buffer = [](ggml_backend_buffer* buffer) {
    const std::unique_ptr<Buffer> ours(&buffer_of(buffer));
  };
  functions.get_base = [](ggml_backend_buffer* buffer) -> void* {
    return buffer_of(buffer).memory.data();
  };
  functions.init_tensor = no_throw<meet, GGML_STATUS_ALLOC_FAILED, log_error>;
  functions.memset_tensor = no_throw<fill, 0, log_error>;
  functions.set_tensor = no_throw<write, 0, log_error>;
  functions.get_tensor = no_throw<read, 0, log_error>;
  functions.cpy_tensor = no_throw<copy, false, log_error>;
  functions.clear = no_throw<clear, 0, log_error>;
  return ggml_backend_buffer_init(type, functions, std::make_unique<Buffer>(size).release(), size);
}

std::size_t bytes_for(ggml_backend_buffer_type* /*type*/, const ggml_tensor* tensor) {
  const auto nominal = tensor->view_src == nullptr ? as_cache(*tensor) : std::nullopt;
  return nominal ? bytes_needed(*nominal, chosen_precision()) : ggml_nbytes(tensor);
}

ggml_backend_buffer_type make_buffer_type() {
  ggml_backend_buffer_type type{};
  type.iface.get_name = [](ggml_backend_buffer_type*) { return "KVSPLIT"; };
  type.iface.alloc_buffer = no_throw<allocate, nullptr, log_error>;
  type.iface.get_alignment = [](ggml_backend_buffer_type*) { return std::size_t{64}; };
  type.iface.get_alloc_size = no_throw<bytes_for, SIZE_MAX, log_error>;
  type.iface.is_host = [](ggml_backend_buffer_type*) { return false; };
  return type;
}

ggml_backend_buffer_type the_type = make_buffer_type();

}  // namespace

ggml_backend_buffer_type& buffer_type() { return the_type; }

std::optional<NominalRows> as_cache(const ggml_tensor& tensor) {
  std::optional<NominalRows> rows = parse_cache_name(static_cast<const char*>(tensor.name));
  if (!rows) return rows;
  rows->cells = {tensor.ne[1], tensor.ne[2]};
  rows->n_channels = tensor.ne[0];
  rows->row_bytes = tensor.nb[1];
  rows->type = ggml_type_name(tensor.type);
  return rows;
}

bool is_cache(const ggml_tensor& tensor) {
  const ggml_tensor& root = root_of(tensor);
  return may_be_cache(root) && parse_cache_name(static_cast<const char*>(root.name));
}

HostedTensor* find_cache(const ggml_tensor& tensor) {
  const ggml_tensor& root = root_of(tensor);
  if (!may_be_cache(root) || root.buffer->context == nullptr || root.data == nullptr)
    return nullptr;
  CacheTable& caches = buffer_of(root.buffer).caches;
  if (HostedTensor* const cache = caches.at(bytes_of(root))) return cache;
  std::optional<NominalRows> nominal = as_cache(root);
  // A view that comes over RPC alone does not say which tensor it is a view of.
  if (!nominal) return caches.around(bytes_of(root));
  return caches.add(std::move(*nominal), chosen_precision(), bytes_of(root));
}

CacheTable& table_of(const ggml_tensor& tensor) { return buffer_of(root_of(tensor).buffer).caches; }

}  // namespace kvsplit::plugin
