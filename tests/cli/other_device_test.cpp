// Another device of the machine, for which a local RPC server of llama.cpp stands: the CPU cannot
// read its memory, and it computes everything that is placed on it.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "support/run_program.h"

namespace kvsplit {
namespace {

int free_port() {
  const int socket_number = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  bind(socket_number, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(socket_number, reinterpret_cast<sockaddr*>(&address), &size);
  close(socket_number);
  return ntohs(address.sin_port);
}

/// ggml-rpc-server with the CPU as its device, listening until destroyed.
class RpcServer {
 public:
  RpcServer() : port_(free_port()) {
    const std::string command = "'" + test::environment("KVSPLIT_TEST_BIN") +
                                "/ggml-rpc-server' -H 127.0.0.1 -d CPU -p " +
                                std::to_string(port_) + " >'" + (folder_ / "log") +
                                "' 2>&1 & echo $! >'" + (folder_ / "pid") + "'";
    EXPECT_EQ(std::system(command.c_str()), 0);
    process_ = std::stoi(test::contents(folder_ / "pid"));
    for (int i = 0; i < 200 && !is_listening(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    EXPECT_TRUE(is_listening()) << test::contents(folder_ / "log");
  }
  ~RpcServer() { kill(process_, SIGTERM); }
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  bool is_listening() const {
    const int socket_number = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    const int status =
        connect(socket_number, reinterpret_cast<sockaddr*>(&address), sizeof address);
    close(socket_number);
    return status == 0;
  }

  test::TestFolder folder_;
  int port_ = 0;
  pid_t process_ = 0;
};

std::string kvsplit() { return "'" + test::environment("KVSPLIT_TEST_PROGRAM") + "' "; }

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(OtherDevice, KeepsTheWeightsWhileTheCacheIsPacked) {
  const RpcServer server;
  const test::ProgramResult result = test::run_shell(
      kvsplit() + "exec --kvq K8V4 --weights-on RPC0 -- '" + test::environment("KVSPLIT_TEST_BIN") +
      "/llama-completion' --rpc " + server.address() + " -m '" + test::demo_model() +
      "' -no-cnv -c 512 -n 6 --temp 0 -v -p 'The capital of France is'");
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(contains(result.output, "The capital of France is Paris")) << result.output;
  EXPECT_TRUE(contains(result.errors, "kvsplit: K8V4 cache of 5.13 MiB")) << result.errors;
  EXPECT_TRUE(contains(result.errors, "RPC0[" + server.address() + "] model buffer size"))
      << result.errors;
}

TEST(OtherDevice, ComparesLlamaCppsOwnTypes) {
  const RpcServer server;
  const test::TestFolder folder;
  const test::ProgramResult result =
      test::run_shell(kvsplit() + "compare --device RPC0 --rpc " + server.address() +
                      " -c 128 -r 1 --stock q8_0/q8_0 -o '" + (folder / "out.json") + "'");
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const auto records = nlohmann::json::parse(test::contents(folder / "out.json"));
  ASSERT_EQ(records.size(), 2U);
  for (const auto& record : records) {
    EXPECT_EQ(record["engine"], "stock");
    EXPECT_EQ(record["device"], "RPC0");
  }
  EXPECT_EQ(records[0]["cache"], "f16/f16");
  EXPECT_GT(records[1]["kl_mean"], 0);
}

TEST(OtherDevice, IsRefusedWhereThereIsNone) {
  const test::ProgramResult result = test::run_shell(kvsplit() + "compare --device NOSUCH");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(contains(result.errors, "device NOSUCH: not on this machine, which has"))
      << result.errors;
}

}  // namespace
}  // namespace kvsplit
