#include "cli/plugin_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "report/table.h"

namespace kvsplit::cli {
namespace {

using Json = nlohmann::json;

double bytes_of(const Json& cache) {
  return cache.value("k_bytes", 0.0) + cache.value("v_bytes", 0.0);
}

std::vector<Json> events(const std::filesystem::path& report, const std::string& kind) {
  std::vector<Json> found;
  std::ifstream stream(report);
  for (std::string line; std::getline(stream, line);) {
    const Json event = Json::parse(line, nullptr, false);
    if (!event.is_object()) continue;  // A program that was killed may have left half a line.
    if (event.value("event", "") == kind) found.push_back(event);
  }
  return found;
}

std::string describe(const Json& largest, std::size_t n_caches) {
  const double fp16_bytes = largest.value("fp16_bytes", 0.0);
  std::string line = fmt::format("{} cache of {}, FP16 would have taken {} ({:.1f} times as much)",
                                 largest.value("precision", ""), report::bytes(bytes_of(largest)),
                                 report::bytes(fp16_bytes), fp16_bytes / bytes_of(largest));
  const int n_unpacked = largest.value("unpacked", 0);
  if (n_unpacked > 0) line += fmt::format(", {} tensors left in 16 bits", n_unpacked);
  if (n_caches > 1) line += fmt::format("; the largest of {} caches", n_caches);
  return line;
}

}  // namespace

Json largest_cache(const std::filesystem::path& report) {
  const std::vector<Json> caches = events(report, "cache");
  return caches.empty() ? Json() : *std::ranges::max_element(caches, {}, bytes_of);
}

std::string closing_line(const std::filesystem::path& report, const std::string& program) {
  const std::size_t n_caches = events(report, "cache").size();
  if (n_caches > 0) return describe(largest_cache(report), n_caches);
  const std::vector<Json> refusals = events(report, "refused");
  if (!refusals.empty()) {
    return fmt::format("{} ran without the plugin: {}", program,
                       refusals.back().value("reason", "no reason given"));
  }
  if (!events(report, "loaded").empty()) {
    return fmt::format("{} loaded the plugin but made no cache on device KVSPLIT", program);
  }
  return fmt::format(
      "{} did not load the plugin: it is no program of llama.cpp, its version knows "
      "no GGML_BACKEND_PATH, or it ended before",
      program);
}

}  // namespace kvsplit::cli
