#include "tests/web/browser.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/error.h"

namespace kvsplit::web {

using nlohmann::json;
using programs::run;

bool has_browser() {
  const std::string both = "command -v chromium && command -v chromedriver";
  return run({.arguments = {"sh", "-c", both}, .environment = {}}).exit_code == 0;
}

Browser::Browser(const std::string& url, int width, bool dark)
    : port_(programs::free_port()),
      driver_(
          {.arguments = {"chromedriver", "--port=" + std::to_string(port_)}, .environment = {}}) {
  programs::wait_for_port(port_, driver_);
  // In a container, where tests run as root, Chromium cannot make its sandbox.
  const json arguments = {"--headless=new", "--no-sandbox", "--disable-gpu",
                          "--disable-dev-shm-usage"};
  const json wanted = {{"goog:chromeOptions", {{"args", arguments}}},
                       {"goog:loggingPrefs", {{"browser", "ALL"}}}};
  const json answer = call("", {{"capabilities", {{"alwaysMatch", wanted}}}});
  session_ = "/" + answer.at("sessionId").get<std::string>();
  devtools("Emulation.setDeviceMetricsOverride",
           {{"width", width}, {"height", 844}, {"deviceScaleFactor", 1}, {"mobile", width < 600}});
  const json colours = {{"name", "prefers-color-scheme"}, {"value", dark ? "dark" : "light"}};
  devtools("Emulation.setEmulatedMedia", {{"features", {colours}}});
  call("/url", {{"url", url}});
}

Browser::~Browser() {
  run({.arguments = {"curl", "--silent", "--max-time", "20", "--request", "DELETE",
                     "http://127.0.0.1:" + std::to_string(port_) + "/session" + session_},
       .environment = {}});
}

json Browser::call(const std::string& path, const json& body) const {
  const std::string url = "http://127.0.0.1:" + std::to_string(port_) + "/session";
  const std::string answer = run({.arguments = {"curl", "--silent", "--max-time", "60", "--header",
                                                "Content-Type: application/json", "--data",
                                                body.dump(), url + session_ + path},
                                  .environment = {}})
                                 .output;
  const json value = json::parse(answer).at("value");
  if (value.is_object() && value.contains("error")) throw Error(path + ": " + value.dump());
  return value;
}

json Browser::devtools(const std::string& command, const json& parameters) const {
  return call("/goog/cdp/execute", {{"cmd", command}, {"params", parameters}});
}

json Browser::ask(const std::string& script) const {
  return call("/execute/sync", {{"script", script}, {"args", json::array()}});
}

std::string Browser::text(const std::string& selector) const {
  return ask("return document.querySelector('" + selector + "').innerText").get<std::string>();
}

void Browser::wait_for(const std::string& expression) const {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (!ask("return Boolean(" + expression + ")").get<bool>()) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << expression << "\n" << text("body");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

void Browser::type(const std::string& keys) const {
  json actions = json::array();
  for (std::size_t at = 0, size = 1; at < keys.size(); at += size) {
    size = static_cast<unsigned char>(keys[at]) < 0x80 ? 1 : 3;  // the keys of WebDriver: U+E000 …
    for (const char* const what : {"keyDown", "keyUp"}) {
      actions.push_back({{"type", what}, {"value", keys.substr(at, size)}});
    }
  }
  const json keyboard = {{"type", "key"}, {"id", "keyboard"}, {"actions", actions}};
  call("/actions", {{"actions", {keyboard}}});
}

std::string Browser::complaints() const {
  std::string lines;
  for (const json& entry : call("/se/log", {{"type", "browser"}})) {
    lines += entry.at("message").get<std::string>() + "\n";
  }
  return lines;
}

void Browser::picture(const std::string& name) const {
  const char* const folder = std::getenv("KVSPLIT_TEST_PICTURES");
  if (folder == nullptr) return;
  const json shot = devtools("Page.captureScreenshot", {{"captureBeyondViewport", true}});
  const std::string file = std::string(folder) + "/" + name;
  std::ofstream(file + ".base64") << shot.at("data").get<std::string>();
  run({.arguments = {"sh", "-c", "base64 -d <\"$0.base64\" >\"$0\"; rm \"$0.base64\"", file},
       .environment = {}});
}

}  // namespace kvsplit::web
