#pragma once

#include <string>
#include <vector>

struct ggml_backend_device;

namespace kvsplit::host {

/// Starts llama.cpp in this process, with our device "KVSPLIT" beside its own. Safe to call again;
/// the last `verbose` counts. Error: our device was not made for this ggml.
/// The log of llama.cpp and ggml comes to us: dropped, or shown on stderr when `verbose`.
void start(bool verbose = false);

/// From now on first_error() is "", until llama.cpp logs one.
void forget_errors();

/// The first error that llama.cpp has logged since then, shown or not, from any thread, without the
/// function name in front of it, so that a failure can say its reason. Errors that follow the first
/// one say that the caller failed too.
std::string first_error();

/// Registers the devices of llama.cpp RPC servers, "host:port,host:port" or "". Error: one does not
/// answer.
void add_rpc_servers(const std::string& servers);

/// Names of the devices that there are, the CPU among them.
std::vector<std::string> device_names();

/// Error: there is no such device; the message lists those there are.
ggml_backend_device* find_device(const std::string& name);

/// What llama.cpp's `-ot` calls the memory of a device: mostly, but not always, its name.
std::string buffer_type_name(const std::string& device);

}  // namespace kvsplit::host
