#include "host/backend.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <llama.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "base/error.h"
#include "base/shared.h"
#include "plugin/plugin.h"

namespace kvsplit::host {
namespace {

// llama.cpp knows one logger per process, so what is kept is process-wide too.
Shared<std::string> error;

bool show_log = false;

void receive(ggml_log_level level, const char* text, void* /*data*/) {
  if (show_log) std::fputs(text, stderr);
  if (level != GGML_LOG_LEVEL_ERROR) return;
  error.change([&](std::string& first) {
    if (first.empty()) first = text;
    while (first.ends_with('\n')) first.pop_back();
  });
}

bool register_once() {
  // A plugin named there would bring a second KVSPLIT device, deaf to set_precision() of ours.
  unsetenv("GGML_BACKEND_PATH");
  llama_backend_init();
  ggml_backend_load_all();  // where its kernels for the CPU are modules, as packages have them
  forget_errors();
  ggml_backend_reg* registry = plugin::backend_reg();
  if (registry == nullptr) throw Error(first_error());
  ggml_backend_register(registry);
  return true;
}

}  // namespace

void forget_errors() { error.set(""); }

std::string first_error() {
  // "llama_model_load: error loading model: tensor …" without what only a developer looks for.
  const std::string line = error.get();
  const std::size_t end = line.find(": ");
  const bool is_function = end != std::string::npos && line.find_first_of(" '\"(") > end && end > 0;
  return is_function ? line.substr(end + 2) : line;
}

void start(bool verbose) {
  show_log = verbose;
  llama_log_set(receive, nullptr);
  [[maybe_unused]] static const bool registered = register_once();
}

void add_rpc_servers(const std::string& servers) {
  std::istringstream list(servers);
  for (std::string server; std::getline(list, server, ',');) {
    ggml_backend_reg* const rpc = ggml_backend_reg_by_name("RPC");
    if (rpc == nullptr) throw Error("--rpc: this llama.cpp was built without RPC");
    const auto add_server = reinterpret_cast<ggml_backend_reg* (*)(const char*)>(
        ggml_backend_reg_get_proc_address(rpc, "ggml_backend_rpc_add_server"));
    ggml_backend_reg* const added = add_server(server.c_str());
    if (added == nullptr) throw Error(fmt::format("--rpc {}: no server answers there", server));
    ggml_backend_register(added);
  }
}

std::vector<std::string> device_names() {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    names.emplace_back(ggml_backend_dev_name(ggml_backend_dev_get(i)));
  }
  return names;
}

ggml_backend_device* find_device(const std::string& name) {
  ggml_backend_device* device = ggml_backend_dev_by_name(name.c_str());
  if (device == nullptr) {
    throw Error(fmt::format("device {}: not on this machine, which has {}", name,
                            fmt::join(device_names(), ", ")));
  }
  return device;
}

std::string buffer_type_name(const std::string& device) {
  return ggml_backend_buft_name(ggml_backend_dev_buffer_type(find_device(device)));
}

}  // namespace kvsplit::host
