// Over llama.cpp's RPC: packed caches for a client that has no plugin, and weights on a device
// whose memory the CPU cannot read, with the packed cache in main memory.
#include <regex>

#include "base/error.h"
#include "tests/programs/stock.h"

namespace kvsplit::programs {
namespace {

/// ggml-rpc-server on a port of its own, listening when constructed.
class RpcServer {
 public:
  explicit RpcServer(const std::string& device, const Plugin* plugin = nullptr)
      : port_(free_port()), program_(command(device, plugin)) {
    wait_for_port(port_, program_);
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string log() const { return program_.output() + program_.log(); }

 private:
  Command command(const std::string& device, const Plugin* plugin) const {
    const Command plain = stock("ggml-rpc-server", {"-H", "127.0.0.1", "-p", std::to_string(port_),
                                                    "-t", "1", "-d", device});
    return plugin != nullptr ? plugin->with(plain) : plain;
  }

  int port_;
  Background program_;
};

std::string perplexity(const Command& command) {
  const Result result = run(command);
  std::smatch match;
  const std::string text = result.all();
  if (!std::regex_search(text, match, std::regex("Final estimate: PPL = ([0-9.]+)"))) {
    throw Error("llama-perplexity gave no estimate: " + text);
  }
  return match[1];
}

Command measure(const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {
      "-m", demo_model(), "-f", text_file(), "-c", "256",  "-b", "256",        "--chunks",
      "2",  "-fa",        "on", "-t",        "1",  "-ngl", "99", "--no-warmup"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return stock("llama-perplexity", arguments);
}

TEST(Rpc, AClientWithoutThePluginGetsPackedCaches) {
  const std::vector<std::string> types = {"-ctk", "q8_0", "-ctv", "q4_0"};
  const Plugin local("");
  std::vector<std::string> here = {"-dev", "KVSPLIT"};
  here.insert(here.end(), types.begin(), types.end());
  const std::string expected = perplexity(local.with(measure(here)));

  const Plugin remote("");
  const RpcServer server("KVSPLIT", &remote);
  std::vector<std::string> there = {"--rpc", server.address(), "-dev", "RPC0"};
  there.insert(there.end(), types.begin(), types.end());
  EXPECT_EQ(perplexity(measure(there)), expected);
  ASSERT_FALSE(remote.events("cache").empty()) << server.log();
  EXPECT_EQ(remote.events("cache").front().at("precision"), "K8V4:sinks=0:window=0");
}

TEST(Rpc, WeightsMayLieOnAnotherDevice) {
  const Plugin local("K8V4");
  const std::string expected = perplexity(local.with(measure({"-dev", "KVSPLIT"})));

  const Plugin plugin("K8V4");
  const RpcServer server("CPU");
  const std::string buffer = "RPC0[" + server.address() + "]";
  EXPECT_EQ(perplexity(plugin.with(measure({"--rpc", server.address(), "-dev", "KVSPLIT,RPC0",
                                            "-ts", "1,0", "-ot", ".*=" + buffer}))),
            expected);
  plugin.expect_cache();
}

}  // namespace
}  // namespace kvsplit::programs
