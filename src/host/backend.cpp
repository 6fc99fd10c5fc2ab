#include "host/backend.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <llama.h>

#include <cstdlib>
#include <sstream>

#include "base/error.h"
#include "host/log.h"
#include "plugin/plugin.h"

namespace kvsplit::host {
namespace {

bool register_once() {
  // A plugin named there would bring a second KVSPLIT device, deaf to set_precision() of ours.
  unsetenv("GGML_BACKEND_PATH");
  llama_backend_init();
  const LogCapture log;
  ggml_backend_reg* registry = plugin::backend_reg();
  if (registry == nullptr) {
    const std::string reason = log.first_error();
    throw Error(reason.empty() ? "the KVSPLIT device does not fit this ggml" : reason);
  }
  ggml_backend_register(registry);
  return true;
}

}  // namespace

void start(bool verbose) {
  install_log(verbose);
  static const bool registered = register_once();
  (void)registered;
}

void add_rpc_servers(const std::string& servers) {
  ggml_backend_reg* rpc = ggml_backend_reg_by_name("RPC");
  if (rpc == nullptr) throw Error("--rpc: this llama.cpp was built without RPC");
  const auto add_server = reinterpret_cast<ggml_backend_reg* (*)(const char*)>(
      ggml_backend_reg_get_proc_address(rpc, "ggml_backend_rpc_add_server"));
  if (add_server == nullptr) throw Error("--rpc: this llama.cpp cannot add RPC servers");
  std::istringstream list(servers);
  for (std::string server; std::getline(list, server, ',');) {
    ggml_backend_reg* added = add_server(server.c_str());
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
