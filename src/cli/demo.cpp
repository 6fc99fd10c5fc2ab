// demo: a page that compares two precisions, on two llama-servers; the first one serves the page.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "base/system.h"
#include "cli/child.h"
#include "cli/command.h"
#include "cli/launch.h"
#include "cli/options.h"
#include "cli/plugin_report.h"
#include "cli/ports.h"
#include "kvsplit_build_config.h"

namespace kvsplit::cli {
namespace {

namespace fs = std::filesystem;

struct DemoOptions {
  std::string model, against = "FP16", host = "127.0.0.1", key;
  PrecisionOptions precision;
  int context = 8192, port = 0;
  int threads = std::max(1, host::default_threads() / 2);
};

void add_options(CLI::App& app, DemoOptions& options) {
  add_value(app, "-m,--model", options.model, "FILE",
            "Model: a GGUF file, or a name of kvsplit pull --list (default: the demo model)");
  add_precision_options(app, options.precision, "Bits of the first cache (default: K8V4)")
      ->expected(1);
  add_value(app, "--against", options.against, "PRECISION",
            "Bits of the second one (default: FP16)");
  add_count(app, "-c,--ctx-size", options.context, 256, 1 << 26, "Tokens of each cache");
  add_count(app, "-t,--threads", options.threads, 1, 512,
            "Threads of each server (default: half of the cores)")
      ->default_str("");
  add_count(app, "--port", options.port, 1024, 65534,
            "Port of the page and the first server, the second has the next (default: free ones)")
      ->default_str("");
  add_value(app, "--host", options.host, "ADDRESS",
            "Where both listen (default: 127.0.0.1); what others can reach needs --api-key");
  add_value(app, "--api-key", options.key, "KEY", "What the page asks for and the servers want");
}

/// A llama-server with one precision.
struct Server {
  std::string name;  ///< of the precision
  int port;
  std::string report;  ///< file of what its plugin tells
  Child program;
};

/// Starts it with the plugin, quiet but for errors.
Server start(const DemoOptions& options, const host::CacheChoice& cache, int port,
             const TemporaryFolder& folder) {
  const std::string number = std::to_string(port), report = folder / number;
  set_plugin_environment(report);
  set_precision(cache.precision, options.model);
  const std::string n_tokens = std::to_string(options.context);
  const std::string n_threads = std::to_string(options.threads);
  LaunchOptions call;
  // One chat each, and no prompts kept in main memory beside the cache on show.
  call.arguments = {"-m",  options.model, "--host", options.host, "--port",      number,
                    "-c",  n_tokens,      "-t",     n_threads,    "--cache-ram", "0",
                    "-np", "1",           "-lv",    "1",          "--path",      folder / "page"};
  const std::string tool = llama_tool("llama-server");
  return {cache.name(), port, report, {tool, with_plugin_arguments("llama-server", call)}};
}

/// The page is one file: llama-server wants the key for any other than "/".
void write_page(const std::string& folder) {
  std::string page = read_text(shipped("web/index.html"));
  const auto put = [&](const std::string& link, const std::string& tag, const std::string& file) {
    const std::string text =
        fmt::format("<{}>\n{}\n</{}>", tag, read_text(shipped(file)), tag.substr(0, tag.find(' ')));
    page.replace(page.find(link), link.size(), text);
  };
  put(R"(<link rel="stylesheet" href="style.css">)", "style", "web/style.css");
  put(R"(<script type="module" src="demo.js"></script>)", R"(script type="module")", "web/demo.js");
  fs::create_directory(folder);
  std::ofstream(folder + "/index.html") << page;
}

void write_config(const std::string& folder, const DemoOptions& options,
                  std::span<const Server> servers) {
  nlohmann::json config = {{"version", build_config::version},
                           {"model", fs::path(options.model).filename()},
                           {"context", options.context},
                           {"threads", options.threads}};
  for (const Server& server : servers) {
    nlohmann::json cache = largest_cache(server.report);
    if (cache.is_null()) throw Error(closing_line(server.report, "llama-server"));
    cache["precision"] = server.name;  // without the place of a plan's file
    config["servers"].push_back({{"name", server.name}, {"port", server.port}, {"cache", cache}});
  }
  const std::string file = folder + "/config.json";
  if (!replace_file(file, config.dump())) throw Error(file + ": cannot be written");
}

/// Waits until `done`. The exit code where that is the end: we were asked to, or a server ended.
std::optional<int> wait_until(std::span<Server> servers, const std::function<bool()>& done) {
  while (!done()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    if (asked_to_end()) return 0;
    for (Server& server : servers) {
      const std::optional<int> code = server.program.exit_code();
      if (!code) continue;
      fmt::print(stderr, "kvsplit: the {} server on port {} ended with exit code {}\n", server.name,
                 server.port, *code);
      return 1;
    }
  }
  return {};
}

int run(DemoOptions options) {
  const bool is_public = !is_loopback(options.host);
  if (is_public && options.key.empty()) {
    throw Error(fmt::format("--host {}: others can reach it, give it an --api-key", options.host));
  }
  const Caches first = options.precision.caches({"K8V4"});
  const host::CacheChoice second = host::kvsplit_cache(parse_precision(options.against));
  options.model = model_file(options.model);
  if (!fs::exists(options.model)) throw Error(options.model + ": no such file");
  const int port = free_port(options.host, options.port);
  int next = port;  // which may be found free once more
  while (next == port) next = free_port(options.host, options.port == 0 ? 0 : port + 1);
  // Not in their arguments, which all users of the machine can see.
  if (!options.key.empty()) setenv("LLAMA_API_KEY", options.key.c_str(), 1);
  // No other site that is open in the browser may ask them.
  if (!is_public) setenv("LLAMA_ARG_CORS_ORIGINS", "localhost", 0);
  std::signal(SIGPIPE, SIG_IGN);

  const TemporaryFolder folder;
  write_page(folder / "page");
  std::array<Server, 2> servers = {
      {start(options, first[0], port, folder), start(options, second, next, folder)}};
  const auto is_ready = [&](const Server& at) { return is_healthy(options.host, at.port); };
  const auto early = wait_until(servers, [&] { return std::ranges::all_of(servers, is_ready); });
  if (early) return *early;
  write_config(folder / "page", options, servers);
  fmt::print("kvsplit: http://{}:{}/ compares {} with {} on {}; Ctrl-C ends it\n", options.host,
             port, servers[0].name, servers[1].name, fs::path(options.model).filename().string());
  std::fflush(stdout);
  return *wait_until(servers, [] { return false; });
}

}  // namespace

void add_demo(CLI::App& program, int& exit_code) {
  add_command<DemoOptions>(program, exit_code, "demo",
                           "Compare two precisions in the browser, side by side",
                           "kvsplit demo --kvq K4V4 --against FP16 -m model.gguf -c 8192");
}

}  // namespace kvsplit::cli
