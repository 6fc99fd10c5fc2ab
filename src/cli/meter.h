#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cache/live_use.h"
#include "cli/paths.h"

namespace kvsplit::cli {

/// What of a cache, an event of the plugin's report, as many cells of one text take, and what they
/// would take in 16 bits: "K8V4 cache: 3.12 MiB in use, 7.68 MiB as FP16".
std::string use_line(const nlohmann::json& cache, std::uint64_t cells);

/// The lowest line of the terminal, which tells what the cache of a program takes while the program
/// runs in the lines above. Where stderr is no terminal there is the last state only, at the end.
class Meter {
 public:
  /// Programs started from now on load a plugin that counts in a file of the folder.
  explicit Meter(const TemporaryFolder& folder);
  ~Meter();
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  /// Now and then, not only when something has changed. report: as set_plugin_environment() has it.
  void show(const std::string& report);

 private:
  using Clock = std::chrono::steady_clock;

  void reserve_line(int n_lines);
  void measure_speed();

  LiveUseFile use_;
  std::string line_;
  int n_lines_ = 0;  ///< of the terminal, whose last is ours; 0: none is yet
  Clock::time_point since_ = Clock::now();
  std::uint64_t tokens_ = 0;  ///< until then
  double speed_ = 0;          ///< tokens/s of when there last were any
};

}  // namespace kvsplit::cli
