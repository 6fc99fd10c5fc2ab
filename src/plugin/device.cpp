#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "base/error.h"
#include "plugin/buffer.h"
#include "plugin/graph.h"
#include "plugin/host_version.h"
#include "plugin/plugin.h"
#include "plugin/process.h"

// The device KVSPLIT: the host's CPU device with packed caches. It is of type GPU because that is
// what hosts offload layers to, and with them their caches. All but caches is the CPU's own.
namespace kvsplit::plugin {
namespace {

constexpr const char* device_name = "KVSPLIT";

struct Backend : ggml_backend {
  ggml_backend_ptr cpu;
  GraphRewriter graph;
  int n_threads = GGML_DEFAULT_N_THREADS;
};

Backend& backend_of(ggml_backend* backend) { return static_cast<Backend&>(*backend); }

ggml_status compute(ggml_backend* backend, ggml_cgraph* graph) {
  Backend& ours = backend_of(backend);
  const std::unique_ptr<GraphRewriter, void (*)(GraphRewriter*)> restored_at_end(
      &ours.graph, [](GraphRewriter* rewriter) { rewriter->restore(); });
  ours.graph.rewrite(graph, ours.n_threads);
  const ggml_status status = ggml_backend_graph_compute(ours.cpu.get(), graph);
  const std::string failure = ours.graph.take_failure();
  if (!failure.empty()) throw Error(failure);
  return status;
}

ggml_backend* make_backend(ggml_backend_dev_t device, const char* parameters) {
  static ggml_guid guid = {'k', 'v', 's', 'p', 'l', 'i', 't', ' ', 'd', 'e', 'v', 'i', 'c', 'e'};
  auto ours = std::make_unique<Backend>();
  ours->cpu.reset(ggml_backend_dev_init(cpu_device(), parameters));
  if (!ours->cpu) return nullptr;
  ours->guid = &guid;
  ours->iface.get_name = [](ggml_backend*) { return device_name; };
  ours->iface.free = [](ggml_backend* backend) {
    const std::unique_ptr<Backend> freed(&backend_of(backend));
  };
  ours->iface.graph_compute = no_throw<compute, GGML_STATUS_FAILED, report_refused>;
  ours->device = device;
  return ours.release();
}

// What hosts ask a registry for. The CPU's function is called, with what is the CPU's.
template <const char* name, class... Arguments>
void call_for_backend(ggml_backend* backend, Arguments... arguments) {
  call_cpu<void>(name, backend_of(backend).cpu.get(), arguments...);
}

void set_n_threads(ggml_backend* backend, int n_threads) {
  backend_of(backend).n_threads = n_threads;
  call_for_backend<set_n_threads_name>(backend, n_threads);
}

ggml_backend_buffer_type** extra_buffer_types(ggml_backend_dev_t /*device*/) {
  return call_cpu<ggml_backend_buffer_type**>(extra_buffer_types_name, cpu_device());
}

ggml_backend_feature* features(ggml_backend_reg* /*registry*/) {
  ggml_backend_reg* const cpu = ggml_backend_dev_backend_reg(cpu_device());
  return call_cpu<ggml_backend_feature*>(features_name, cpu);
}

void* find_function(ggml_backend_reg* /*registry*/, const char* name) {
  const auto address = [](auto* function) { return reinterpret_cast<void*>(function); };
  const std::map<std::string_view, void*> functions = {
      {set_n_threads_name, address(set_n_threads)},
      {set_abort_callback_name,
       address(call_for_backend<set_abort_callback_name, ggml_abort_callback, void*>)},
      {set_threadpool_name, address(call_for_backend<set_threadpool_name, ggml_threadpool*>)},
      {extra_buffer_types_name, address(extra_buffer_types)},
      {features_name, address(features)},
  };
  const auto found = functions.find(name);
  return found == functions.end() ? nullptr : found->second;
}

// Asks the CPU device about an operation. It declines what reads our buffers, as they are no host
// memory to it, so it is told of no buffer there; `weights` stands for that of the first source.
bool cpu_supports(const ggml_tensor& operation, ggml_backend_buffer* weights) {
  ggml_tensor asked = operation;
  std::array<ggml_tensor, GGML_MAX_SRC> sources;  // NOLINT(*-member-init): those that are used are
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const ggml_tensor* const source = operation.src[i];
    if (source == nullptr || source->buffer == nullptr || source->buffer->buft != &buffer_type()) {
      continue;
    }
    sources[i] = *source;
    sources[i].buffer = i == 0 ? weights : nullptr;
    asked.src[i] = &sources[i];
  }
  return ggml_backend_dev_supports_op(cpu_device(), &asked);
}

// A host that looks for the place of a weight asks with an empty buffer of each type. Where one of
// the CPU's extra types makes the operation faster, that one must be taken, not ours.
bool has_better_place(const ggml_tensor& operation) {
  const ggml_tensor* const weight = operation.src[0];
  const bool product = operation.op == GGML_OP_MUL_MAT || operation.op == GGML_OP_MUL_MAT_ID;
  if (!product || weight->buffer == nullptr || weight->buffer->buft != &buffer_type() ||
      weight->buffer->size != 0 || operation.src[1]->op != GGML_OP_NONE) {
    return false;
  }
  for (auto** type = extra_buffer_types(nullptr); type != nullptr && *type != nullptr; ++type) {
    const ggml_backend_buffer_ptr place(ggml_backend_buft_alloc_buffer(*type, 0));
    if (cpu_supports(operation, place.get())) return true;
  }
  return false;
}

// Yes to all that touches a cache: were we to decline, the CPU device would get it, and read packed
// rows as numbers. What we cannot do is said when it is computed.
bool supports_operation(ggml_backend_dev_t /*device*/, const ggml_tensor* operation) {
  const bool touches_cache =
      is_cache(*operation) ||
      std::ranges::any_of(operation->src, [](auto* source) { return source && is_cache(*source); });
  return touches_cache || (!has_better_place(*operation) && cpu_supports(*operation, nullptr));
}

bool supports_buffers(ggml_backend_dev_t /*device*/, ggml_backend_buffer_type* type) {
  return type == &buffer_type() || ggml_backend_dev_supports_buft(cpu_device(), type);
}

void describe(ggml_backend_dev_t device, ggml_backend_dev_props* properties) {
  ggml_backend_dev_get_props(cpu_device(), properties);
  properties->name = ggml_backend_dev_name(device);
  properties->description = ggml_backend_dev_description(device);
  properties->type = ggml_backend_dev_type(device);
}

ggml_backend_device make_device(ggml_backend_reg* registry) {
  ggml_backend_device device{};
  device.iface.get_name = [](ggml_backend_dev_t) { return device_name; };
  device.iface.get_description = [](ggml_backend_dev_t) { return "CPU with packed KV caches"; };
  device.iface.get_memory = [](ggml_backend_dev_t, std::size_t* free, std::size_t* total) {
    ggml_backend_dev_memory(cpu_device(), free, total);
  };
  device.iface.get_type = [](ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_GPU; };
  device.iface.get_props = describe;
  device.iface.init_backend = no_throw<make_backend, nullptr, report_refused>;
  device.iface.get_buffer_type = [](ggml_backend_dev_t) { return &buffer_type(); };
  // Weights stay in the mapped file.
  device.iface.buffer_from_host_ptr = [](ggml_backend_dev_t, auto... memory) {
    return ggml_backend_dev_buffer_from_host_ptr(cpu_device(), memory...);
  };
  device.iface.supports_op = no_throw<supports_operation, false, log_error>;
  device.iface.supports_buft = supports_buffers;
  device.reg = registry;
  return device;
}

ggml_backend_device* the_device(ggml_backend_reg* registry, std::size_t /*index*/) {
  static ggml_backend_device device = make_device(registry);
  buffer_type().device = &device;
  return &device;
}

ggml_backend_reg* make_registry() {
  const std::string mismatch = host_mismatch();
  if (!mismatch.empty()) throw Error(mismatch);
  start();
  static ggml_backend_reg registry;
  registry.api_version = GGML_BACKEND_API_VERSION;
  registry.iface.get_name = [](ggml_backend_reg*) { return device_name; };
  registry.iface.get_device_count = [](ggml_backend_reg*) { return std::size_t{1}; };
  registry.iface.get_device = the_device;
  registry.iface.get_proc_address = no_throw<find_function, nullptr, log_error>;
  return &registry;
}

}  // namespace

ggml_backend_reg* backend_reg() { return no_throw<make_registry, nullptr, report_refused>(); }

}  // namespace kvsplit::plugin
