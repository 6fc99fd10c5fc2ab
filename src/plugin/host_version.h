#pragma once

#include <ggml-backend-impl.h>
#include <ggml-backend.h>
#include <ggml-cpp.h>
#include <ggml-impl.h>
#include <ggml.h>

#include <array>
#include <bit>
#include <string>
#include <string_view>

#include "codec/rotation.h"
#include "kvsplit_build_config.h"

// All that differs between versions of the host. ggml's backend structures are not an installed
// interface: they are filled by member name and compiled from the very source of the ggml that will
// load us, which is checked at start.
namespace kvsplit::plugin {

/// "" or why the running ggml is not the one that these structures are of. A commit is "unknown"
/// for a ggml that was not built from a git checkout, and then it matches any.
inline std::string host_mismatch() {
  const auto describe = [](const std::string& version, const std::string& commit, int api) {
    return version + " (commit " + commit + ", backend API " + std::to_string(api) + ")";
  };
  const std::string commit = ggml_commit();
  const bool any = commit == "unknown" || build_config::ggml_commit == std::string_view("unknown");
  // The first registry is ggml's own; in every version it begins with the number of its API.
  const int api = ggml_backend_reg_count() > 0 ? ggml_backend_reg_get(0)->api_version
                                               : GGML_BACKEND_API_VERSION;
  const std::string running = describe(ggml_version(), commit, api);
  const std::string built_for =
      describe(build_config::ggml_version, any ? commit : build_config::ggml_commit,
               GGML_BACKEND_API_VERSION);
  if (running == built_for) return {};
  return "built for ggml " + built_for + ", this program has ggml " + running +
         "; rebuild kvsplit with KVSPLIT_LLAMA_SOURCE=<its llama.cpp>";
}

using OpParams = std::array<std::int32_t, GGML_MAX_OP_PARAMS / sizeof(std::int32_t)>;

/// The parameters of an operation that calls `function` with `data` on all threads. How they are
/// laid out is ggml's affair: a node made by its public function shows it.
inline OpParams custom_op_params(ggml_custom_op_t function, void* data) {
  const ggml_context_ptr context(ggml_init({1024, nullptr, true}));
  const ggml_tensor* const node = ggml_custom_4d(context.get(), GGML_TYPE_F32, 1, 1, 1, 1, nullptr,
                                                 0, function, GGML_N_TASKS_MAX, data);
  return std::to_array(node->op_params);
}

/// Views and the like, which only say where data are.
inline bool computes_nothing(ggml_op op) {
  return op == GGML_OP_NONE || op == GGML_OP_VIEW || op == GGML_OP_RESHAPE ||
         op == GGML_OP_PERMUTE || op == GGML_OP_TRANSPOSE;
}

/// A graph of the same number is the same one, unchanged; 0: it has none, as all before ggml 0.11.
std::uint64_t graph_uid(const auto& graph) {
  if constexpr (requires { graph.uid; }) return graph.uid;
  return 0;
}

/// What a ROPE is told; planes are neighbours unless its mode says that they are not.
inline RopeParameters rope_parameters(const ggml_tensor& rope) {
  const auto number = [&](int i) { return std::bit_cast<float>(rope.op_params[i]); };
  std::array<float, 2> slowed{};
  ggml_rope_yarn_corr_dims(rope.op_params[1], rope.op_params[4], number(5), number(9), number(10),
                           slowed.data());
  return {.n_dims = rope.op_params[1],
          .neighbours = (rope.op_params[2] & GGML_ROPE_TYPE_NEOX) == 0,
          .freq_base = number(5),
          .freq_scale = number(6),
          .ext_factor = number(7),  // 8: a factor that turns nothing
          .ramp_begin = slowed[0],
          .ramp_end = slowed[1],
          .freq_factors = rope.src[2] ? static_cast<const float*>(rope.src[2]->data) : nullptr};
}

/// The channel of a head that its planes begin with; before ggml 0.25 always the first.
inline int rope_offset(const ggml_tensor& rope) { return rope.op_params[15]; }

/// Functions that are found by name, the CPU backend's own too: in distributions that is a library
/// which the host loads, and which must not be linked.
inline constexpr char set_n_threads_name[] = "ggml_backend_set_n_threads";
inline constexpr char set_abort_callback_name[] = "ggml_backend_set_abort_callback";
inline constexpr char set_threadpool_name[] = "ggml_backend_cpu_set_threadpool";
inline constexpr char extra_buffer_types_name[] = "ggml_backend_dev_get_extra_bufts";
inline constexpr char features_name[] = "ggml_backend_get_features";

/// The host's own CPU device. It is looked for when needed, because it may be loaded after us;
/// there is none in no host, as nothing computes without it.
inline ggml_backend_dev_t cpu_device() {
  return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
}

/// Calls one of them; where the CPU backend has none of that name, nothing happens.
template <class Result, class... Arguments>
Result call_cpu(const char* name, Arguments... arguments) {
  ggml_backend_reg* const registry = ggml_backend_dev_backend_reg(cpu_device());
  auto* const function =
      reinterpret_cast<Result (*)(Arguments...)>(ggml_backend_reg_get_proc_address(registry, name));
  return function == nullptr ? Result() : function(arguments...);
}

}  // namespace kvsplit::plugin
