#include "plugin/process.h"

#include <ggml-impl.h>

#include <cstdlib>

#include "base/event_file.h"
#include "base/shared.h"
#include "kernels/attend.h"
#include "plugin/plugin.h"

namespace kvsplit::plugin {
namespace {

Shared<std::optional<Precision>> chosen;
CacheCounter counter;

void log(ggml_log_level level, const std::string& line) {
  ggml_log_internal(level, "kvsplit: %s\n", line.c_str());
}

}  // namespace

void start() {
  const char* const text = std::getenv("KVSPLIT");
  if (text != nullptr && *text != '\0' && !chosen_precision()) set_precision(parse_precision(text));
  // A wrong $KVSPLIT_ISA is refused here, not within a graph.
  append_event("loaded", "\"version\": " + quoted(build_config::version) +
                             ", \"ggml\": " + quoted(build_config::ggml_version) +
                             ", \"kernels\": " + quoted(kernels().name));
}

std::optional<Precision> chosen_precision() { return chosen.get(); }
void set_precision(const Precision& precision) { chosen.set(precision); }

CacheCounter& cache_counter() { return counter; }
CacheSum allocated() { return counter.get(); }
void reset_allocated() { counter.set({}); }

void log_error(const std::string& line) { log(GGML_LOG_LEVEL_ERROR, line); }

void report_refused(const std::string& reason) {
  log_error(reason);
  append_event("refused", "\"reason\": " + quoted(reason));
}

void report_caches(std::span<const HostedTensor* const> caches) {
  const CacheSummary summary(caches);
  log(GGML_LOG_LEVEL_INFO, summary.text() + " (" + kernels().name + ")");
  for (const std::string& note : summary.notes) log(GGML_LOG_LEVEL_WARN, note);
  append_event("cache", summary.json_fields());
}

}  // namespace kvsplit::plugin
