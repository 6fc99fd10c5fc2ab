#pragma once

#include <string>

namespace kvsplit::cli {

/// Whether nobody but this machine can reach what listens there.
bool is_loopback(const std::string& host);

/// A port of `host` that nobody listens on at the moment: `wanted`, or any where that is 0.
/// Error: it is taken, or the host is no IPv4 address of this machine.
int free_port(const std::string& host, int wanted);

/// Whether an HTTP server answers "GET /health" there with 200.
bool is_healthy(const std::string& host, int port);

}  // namespace kvsplit::cli
