#include "tests/programs/demo.h"

#include <thread>

#include "base/error.h"

namespace kvsplit::programs {
namespace {

std::string fetch(const std::string& url, const std::string& key) {
  return run({.arguments = {"curl", "--silent", "--fail", "--max-time", "10", "--header",
                            "Authorization: Bearer " + key, url},
              .environment = {}})
      .output;
}

Command with_folder(Command command, const std::string& folder) {
  command.environment["TMPDIR"] = folder;
  return command;
}

}  // namespace

Command demo(const std::vector<std::string>& arguments) {
  const Environment environment = own_build();
  Command command{.arguments = {environment.at("KVSPLIT_PROGRAM"), "demo", "-c", "1024", "-t", "1"},
                  .environment = environment};
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  return command;
}

Demo::Demo(const std::vector<std::string>& arguments)
    : program_(with_folder(demo(arguments), folder_.path())) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while ((line_ = program_.output()).find('\n') == std::string::npos) {
    if (!program_.running() || std::chrono::steady_clock::now() > end) {
      throw Error("kvsplit demo does not start: " + program_.output() + program_.log());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  const std::size_t begin = line_.find("http://");
  url_ = line_.substr(begin, line_.find("/ ", begin) - begin);
}

std::string Demo::get(const std::string& path, const std::string& key) const {
  return fetch(url_ + path, key);
}

std::vector<std::string> Demo::urls() const {
  std::vector<std::string> urls;
  const std::string host = url_.substr(0, url_.rfind(':') + 1);
  const auto config = nlohmann::json::parse(get("/config.json"));
  for (const auto& server : config.at("servers")) {
    urls.push_back(host + std::to_string(server.at("port").get<int>()));
  }
  return urls;
}

bool is_up(const std::string& url) { return !fetch(url + "/health", "").empty(); }

}  // namespace kvsplit::programs
