#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tests/programs/process.h"

namespace kvsplit::web {

/// Whether there are a browser and its driver: chromium, chromedriver.
bool has_browser();

/// A window of a Chromium without a screen, driven by WebDriver.
class Browser {
 public:
  /// Opens a page. dark: what it is told of the user's choice of colours.
  Browser(const std::string& url, int width, bool dark);
  ~Browser();
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  /// What a function body in JavaScript returns: "return document.title".
  nlohmann::json ask(const std::string& script) const;
  std::string text(const std::string& selector) const;  ///< of an element, as a user sees it
  /// Until an expression in JavaScript is true; fails the test after two minutes.
  void wait_for(const std::string& expression) const;
  /// Types on the keyboard, into whatever has the focus. "\ue004" is Tab, "\ue007" Enter.
  void type(const std::string& keys) const;
  /// Errors and warnings that the browser has logged since it was asked last, a line each.
  std::string complaints() const;
  /// A picture of the whole page, for people; into the folder that $KVSPLIT_TEST_PICTURES names.
  void picture(const std::string& name) const;

 private:
  nlohmann::json call(const std::string& path, const nlohmann::json& body) const;
  nlohmann::json devtools(const std::string& command, const nlohmann::json& parameters) const;

  int port_;
  programs::Background driver_;
  std::string session_;
};

}  // namespace kvsplit::web
