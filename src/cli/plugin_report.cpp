#include "cli/plugin_report.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "report/numbers.h"

namespace kvsplit::cli {
namespace {

using Json = nlohmann::json;

double bytes_of(const Json& cache) {
  return cache.value("k_bytes", 0.0) + cache.value("v_bytes", 0.0);
}

std::string describe(const Json& cache, int n_caches) {
  const double fp16_bytes = cache.value("fp16_bytes", 0.0);
  std::string line = fmt::format("{} cache of {}, FP16 would have taken {} ({:.1f} times as much)",
                                 cache.value("precision", ""), report::bytes(bytes_of(cache)),
                                 report::bytes(fp16_bytes), fp16_bytes / bytes_of(cache));
  const int n_unpacked = cache.value("unpacked", 0);
  if (n_unpacked > 0) line += fmt::format(", {} tensors left in 16 bits", n_unpacked);
  return n_caches > 1 ? fmt::format("{}; the largest of {} caches", line, n_caches) : line;
}

}  // namespace

std::string closing_line(const std::filesystem::path& report, const std::string& program) {
  bool is_loaded = false;
  std::optional<std::string> refusal;
  Json largest;
  int n_caches = 0;
  std::ifstream stream(report);
  for (std::string line; std::getline(stream, line);) {
    const Json event = Json::parse(line, nullptr, false);
    if (!event.is_object()) continue;  // A program that was killed may have left half a line.
    const std::string kind = event.value("event", "");
    if (kind == "loaded") is_loaded = true;
    if (kind == "refused" && !refusal) refusal = event.value("reason", "no reason given");
    if (kind != "cache") continue;
    ++n_caches;
    if (largest.is_null() || bytes_of(event) > bytes_of(largest)) largest = event;
  }
  if (!largest.is_null()) return describe(largest, n_caches);
  if (refusal) return fmt::format("{} ran without the plugin: {}", program, *refusal);
  if (!is_loaded) {
    return fmt::format(
        "{} did not load the plugin: it is no program of llama.cpp, its version knows "
        "no GGML_BACKEND_PATH, or it ended before",
        program);
  }
  return fmt::format("{} loaded the plugin but made no cache on device KVSPLIT", program);
}

}  // namespace kvsplit::cli
