#include "cli/ports.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <functional>
#include <string_view>

#include "base/error.h"

namespace kvsplit::cli {
namespace {

/// Whether `use`, which is given a new socket and the address of host:port, says so.
bool with_socket(const std::string& host, int port,
                 const std::function<bool(int, sockaddr*, socklen_t)>& use) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  const char* const number = host == "localhost" ? "127.0.0.1" : host.c_str();
  if (inet_pton(AF_INET, number, &address.sin_addr) != 1) {
    throw Error(fmt::format("--host {}: expected an IPv4 address", host));
  }
  const int handle = socket(AF_INET, SOCK_STREAM, 0);
  const bool is_done = use(handle, reinterpret_cast<sockaddr*>(&address), sizeof address);
  close(handle);
  return is_done;
}

}  // namespace

bool is_loopback(const std::string& host) {
  return host == "localhost" || host.starts_with("127.");
}

int free_port(const std::string& host, int wanted) {
  sockaddr_in bound = {};
  const bool is_free = with_socket(host, wanted, [&](int handle, sockaddr* at, socklen_t size) {
    const int yes = 1;  // as servers do, whose port is free again at once
    setsockopt(handle, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    return bind(handle, at, size) == 0 &&
           getsockname(handle, reinterpret_cast<sockaddr*>(&bound), &size) == 0;
  });
  if (is_free) return ntohs(bound.sin_port);
  throw Error(fmt::format("--port {}: taken, or {} is not this machine's", wanted, host));
}

bool is_healthy(const std::string& host, int port) {
  return with_socket(host, port, [](int handle, sockaddr* at, socklen_t size) {
    constexpr std::string_view question = "GET /health HTTP/1.0\r\n\r\n", yes = "HTTP/1.1 200";
    const timeval limit = {.tv_sec = 2, .tv_usec = 0};
    setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    std::string answer(yes.size(), '\0');
    return connect(handle, at, size) == 0 &&
           send(handle, question.data(), question.size(), 0) > 0 &&
           recv(handle, answer.data(), answer.size(), MSG_WAITALL) > 0 && answer == yes;
  });
}

}  // namespace kvsplit::cli
