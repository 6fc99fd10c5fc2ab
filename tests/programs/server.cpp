#include "tests/programs/server.h"

#include <thread>

#include "base/error.h"

namespace kvsplit::programs {
namespace {

Command server_command(const Plugin& plugin, int port, std::vector<std::string> arguments) {
  std::vector<std::string> all = {
      "-m",   demo_model(), "--host",     "127.0.0.1", "--port", std::to_string(port),
      "-dev", "KVSPLIT",    "-ngl",       "99",        "-fa",    "on",
      "-t",   "1",          "--no-warmup"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return plugin.with(stock("llama-server", all));
}

}  // namespace

Server::Server(const Plugin& plugin, std::vector<std::string> arguments)
    : port_(free_port()), program_(server_command(plugin, port_, std::move(arguments))) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (get("/health").status != 200) {
    if (!program_.running() || std::chrono::steady_clock::now() > end) {
      throw Error("llama-server does not start: " + log());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

Response Server::request(const std::string& path, const nlohmann::json* body) const {
  Command command{
      .arguments = {"curl", "--silent", "--max-time", "100", "--write-out", "\n%{http_code}"},
      .environment = {}};
  if (body != nullptr) {
    const std::vector<std::string> post = {"--header", "Content-Type: application/json", "--data",
                                           body->dump()};
    command.arguments.insert(command.arguments.end(), post.begin(), post.end());
  }
  command.arguments.push_back(address() + path);
  const std::string answer = run(command).output;
  const std::size_t line = answer.rfind('\n');
  if (line == std::string::npos) {
    throw Error("curl: expected an answer and its status, found '" + answer + "'");
  }
  return {std::stoi(answer.substr(line + 1)),
          nlohmann::json::parse(answer.substr(0, line), nullptr, /*allow_exceptions=*/false)};
}

std::string Server::complete(const std::string& prompt, int n_tokens) const {
  const Response response = post("/completion", greedy(prompt, n_tokens));
  EXPECT_EQ(response.status, 200) << response.body << log();
  return response.body.value("content", "");
}

std::size_t Server::resident_kib() const {
  const std::string status = read_file("/proc/" + std::to_string(process()) + "/status");
  const std::size_t line = status.find("VmRSS:");
  return line == std::string::npos ? 0 : std::stoul(status.substr(line + 6));
}

nlohmann::json greedy(const std::string& prompt, int n_tokens) {
  return {{"prompt", prompt},
          {"n_predict", n_tokens},
          {"temperature", 0},
          {"seed", 1},
          {"cache_prompt", false}};
}

}  // namespace kvsplit::programs
