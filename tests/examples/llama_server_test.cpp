// examples/llama-server: the script, alone and behind nginx with our site, and the service's file.
#include <algorithm>
#include <fstream>
#include <thread>

#include "tests/programs/stock.h"

namespace kvsplit::programs {
namespace {

namespace fs = std::filesystem;

const fs::path folder = KVSPLIT_SOURCE_DIR "/examples/llama-server";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " is not in\n" << text;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

/// $PATH and where Debian puts what only administrators start. "" = it is not here.
std::string find_program(const std::string& name) {
  const Result result =
      run({.arguments = {"sh", "-c", "PATH=$PATH:/usr/sbin:/sbin command -v " + name},
           .environment = {}});
  return result.output.substr(0, result.output.find('\n'));
}

Result curl(int port, const std::string& path, const std::string& body) {
  std::vector<std::string> arguments = {"curl",   "--silent",   "--no-buffer",
                                        "--fail", "--max-time", "60"};
  if (!body.empty()) {
    arguments.insert(arguments.end(),
                     {"--header", "Content-Type: application/json", "--data", body});
  }
  arguments.push_back("http://127.0.0.1:" + std::to_string(port) + path);
  return run({.arguments = std::move(arguments), .environment = {}});
}

void wait_until_healthy(int port, Background& program) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (curl(port, "/health", "").exit_code != 0) {
    ASSERT_TRUE(program.running()) << program.output() << program.log();
    ASSERT_LT(std::chrono::steady_clock::now(), end) << program.log();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

Command serve(const Plugin& plugin, int port) {
  Environment environment = own_build();
  environment["MODEL"] = demo_model();
  environment["PLUGIN"] = plugin_file();
  environment["LLAMA_SERVER"] = (stock_folder() / "llama-server").string();
  environment["PORT"] = std::to_string(port);
  environment["CONTEXT"] = "512";
  return plugin.with({.arguments = {folder / "serve", "--no-warmup", "--threads", "1"},
                      .environment = environment});
}

/// A streamed chat: the text of its pieces, and how many there were.
void expect_a_streamed_chat(int port) {
  const nlohmann::json request = {
      {"messages", {{{"role", "user"}, {"content", "Tell me a long story about the sea."}}}},
      {"max_tokens", 16},
      {"temperature", 0},
      {"stream", true}};
  const Result result = curl(port, "/v1/chat/completions", request.dump());
  ASSERT_EQ(result.exit_code, 0) << result.all();
  std::istringstream lines(result.output);
  std::string text, last;
  int n_pieces = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("data: ")) continue;
    last = line.substr(6);
    const nlohmann::json event = nlohmann::json::parse(last, nullptr, false);
    if (event.is_discarded() || event.at("choices").empty()) continue;
    // The last piece has none.
    const nlohmann::json content =
        event.at("choices").at(0).at("delta").value("content", nlohmann::json());
    if (!content.is_string()) continue;
    text += content.get<std::string>();
    ++n_pieces;
  }
  EXPECT_GT(n_pieces, 8) << result.output;
  EXPECT_FALSE(text.empty());
  EXPECT_EQ(last.substr(0, 6), "[DONE]");
}

/// nginx with our site, as a user of no importance, in a folder of its own.
Command nginx(const fs::path& home, int port, int server_port, std::vector<std::string> more) {
  std::string site = read_file(folder / "nginx.conf");
  site = replaced(site, "127.0.0.1:8080", "127.0.0.1:" + std::to_string(server_port));
  site = replaced(site, "listen 8000", "listen 127.0.0.1:" + std::to_string(port));
  std::ofstream(home / "site.conf") << site;
  const std::string here = home.string();
  std::ofstream file(home / "nginx.conf");
  file << "daemon off;\nmaster_process off;\npid " << here << "/pid;\nerror_log stderr;\n"
       << "events {}\nhttp {\n  access_log off;\n";
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    file << "  " << kind << "_temp_path " << here << "/" << kind << ";\n";
  }
  file << "  include " << here << "/site.conf;\n}\n";
  std::vector<std::string> arguments = {find_program("nginx"), "-p", here, "-c",
                                        (home / "nginx.conf").string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return {.arguments = std::move(arguments), .environment = {}};
}

TEST(LlamaServer, TheScriptServesAStreamedChatAlsoBehindNginx) {
  const Plugin plugin("K8V4");
  const int port = free_port();
  Background server(serve(plugin, port));
  wait_until_healthy(port, server);
  expect_a_streamed_chat(port);
  plugin.expect_cache();

  if (find_program("nginx").empty()) GTEST_SKIP() << "behind nginx not tried: it is not here";
  const TemporaryFolder home;
  const int public_port = free_port();
  const Result checked = run(nginx(home.path(), public_port, port, {"-t"}));
  ASSERT_EQ(checked.exit_code, 0) << checked.all();
  Background proxy(nginx(home.path(), public_port, port, {}));
  wait_until_healthy(public_port, proxy);
  expect_a_streamed_chat(public_port);
}

TEST(LlamaServer, AMissingPluginIsNamed) {
  const Result result = run({.arguments = {folder / "serve"},
                             .environment = {{"PLUGIN", "/nowhere/libggml-kvsplit.so"}}});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.log.find("/nowhere/libggml-kvsplit.so"), std::string::npos) << result.all();
}

TEST(LlamaServer, SystemdUnderstandsTheService) {
  if (find_program("systemd-analyze").empty()) GTEST_SKIP() << "systemd is not here";
  const TemporaryFolder home;
  const fs::path file = home.path() / "kvsplit-llama-server.service";
  // It also looks for the program.
  std::ofstream(file) << replaced(read_file(folder / file.filename()),
                                  "/usr/local/bin/llama-server",
                                  (stock_folder() / "llama-server").string());
  const Result result = run(
      {.arguments = {"systemd-analyze", "verify", "--man=no", file.string()}, .environment = {}});
  EXPECT_EQ(result.exit_code, 0) << result.all();
  EXPECT_EQ(result.all().find(file.filename().string()), std::string::npos) << result.all();
}

}  // namespace
}  // namespace kvsplit::programs
