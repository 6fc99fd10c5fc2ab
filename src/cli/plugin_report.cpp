#include "cli/plugin_report.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "report/numbers.h"

namespace kvsplit::cli {
namespace {

using Json = nlohmann::json;

struct Cache {
  std::string precision;
  double bytes = 0, fp16_bytes = 0;
  int n_unpacked = 0;
};

/// What the events of a run come to.
struct Summary {
  bool is_loaded = false;
  std::optional<std::string> refusal;
  std::optional<Cache> largest;
  int n_caches = 0;

  void add(const Json& event) {
    const std::string kind = event.value("event", "");
    if (kind == "loaded") is_loaded = true;
    if (kind == "refused" && !refusal) refusal = event.value("reason", "no reason given");
    if (kind != "cache") return;
    ++n_caches;
    Cache cache;
    cache.precision = event.value("precision", "");
    cache.bytes = event.value("k_bytes", 0.0) + event.value("v_bytes", 0.0);
    cache.fp16_bytes = event.value("fp16_bytes", 0.0);
    cache.n_unpacked = event.value("unpacked", 0);
    if (!largest || cache.bytes > largest->bytes) largest = cache;
  }
};

Summary read(const std::filesystem::path& report) {
  Summary summary;
  std::ifstream stream(report);
  for (std::string line; std::getline(stream, line);) {
    // A program that was killed may have left half a line.
    const Json event = Json::parse(line, nullptr, false);
    if (event.is_object()) summary.add(event);
  }
  return summary;
}

std::string describe(const Cache& cache, int n_caches) {
  std::string line = fmt::format("{} cache of {}, FP16 would have taken {} ({:.1f} times as much)",
                                 cache.precision, report::bytes(cache.bytes),
                                 report::bytes(cache.fp16_bytes), cache.fp16_bytes / cache.bytes);
  if (cache.n_unpacked > 0) {
    line += fmt::format(", {} tensors left in 16 bits", cache.n_unpacked);
  }
  return n_caches > 1 ? fmt::format("{}; the largest of {} caches", line, n_caches) : line;
}

}  // namespace

std::string closing_line(const std::filesystem::path& report, const std::string& program) {
  const Summary summary = read(report);
  if (summary.largest) return describe(*summary.largest, summary.n_caches);
  if (summary.refusal) {
    return fmt::format("{} ran without the plugin: {}", program, *summary.refusal);
  }
  if (!summary.is_loaded) {
    return fmt::format(
        "{} did not load the plugin: it is no program of llama.cpp, its version knows "
        "no GGML_BACKEND_PATH, or it ended before",
        program);
  }
  return fmt::format("{} loaded the plugin but made no cache on device KVSPLIT", program);
}

}  // namespace kvsplit::cli
