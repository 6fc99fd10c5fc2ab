#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/programs/stock.h"

namespace kvsplit::programs {

struct Response {
  int status = 0;  ///< HTTP; 0 where nobody answered
  nlohmann::json body;
};

/// llama-server with the demo model on a port of its own, ready to answer when constructed.
class Server {
 public:
  /// arguments: added to model, port, and device. plugin: must outlive the server.
  Server(const Plugin& plugin, std::vector<std::string> arguments);

  Response get(const std::string& path) const { return request(path, nullptr); }
  Response post(const std::string& path, const nlohmann::json& body) const {
    return request(path, &body);
  }
  /// Text that follows the prompt, greedily. Fails the test where the server answers with an error.
  std::string complete(const std::string& prompt, int n_tokens) const;
  std::string log() const { return program_.output() + program_.log(); }
  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }
  pid_t process() const { return program_.id(); }
  std::size_t resident_kib() const;  ///< memory in use; 0 where the system does not tell

 private:
  Response request(const std::string& path, const nlohmann::json* body) const;

  int port_;
  Background program_;
};

/// What is posted for a greedy completion.
nlohmann::json greedy(const std::string& prompt, int n_tokens);

}  // namespace kvsplit::programs
