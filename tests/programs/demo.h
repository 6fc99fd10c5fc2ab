#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/programs/stock.h"

namespace kvsplit::programs {

/// `kvsplit demo` with small caches, on one thread each, and on the demo model if none is named.
Command demo(const std::vector<std::string>& arguments);

/// The same, running and ready when constructed. Error: it does not get that far.
class Demo {
 public:
  explicit Demo(const std::vector<std::string>& arguments);

  const std::string& line() const { return line_; }  ///< what it printed
  const std::string& url() const { return url_; }    ///< of the page, and of the first server
  Background& program() { return program_; }

  /// What curl gets of the first server; empty unless that is a 200.
  std::string get(const std::string& path, const std::string& key = "") const;
  std::vector<std::string> urls() const;  ///< of both servers, without a key

 private:
  TemporaryFolder folder_;  ///< for its own temporary files, which a killed one leaves behind
  Background program_;
  std::string line_, url_;
};

/// Whether a server answers /health there.
bool is_up(const std::string& url);

}  // namespace kvsplit::programs
