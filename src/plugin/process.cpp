#include "plugin/process.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/system.h"
#include "cache/cache_event.h"
#include "cache/live_use.h"
#include "kernels/attend.h"
#include "plugin/plugin.h"

namespace kvsplit::plugin {
namespace {

using Json = nlohmann::ordered_json;

Shared<std::optional<Precision>> chosen;
CacheCounter counter;

void log(ggml_log_level level, const std::string& line) {
  ggml_log_internal(level, "kvsplit: %s\n", line.c_str());
}

// That is how the program that started a host learns what the plugin in it did.
void append_event(const Json& event) {
  const std::string file = environment("KVSPLIT_REPORT");
  if (file.empty()) return;
  // One write: several processes may share the file.
  std::ofstream(file, std::ios::app)
      << event.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

void start() {
  const std::string text = environment("KVSPLIT");
  if (!text.empty() && !chosen_precision()) set_precision(parse_precision(text));
  count_live_use();
  // A wrong $KVSPLIT_ISA is refused here, not within a graph.
  append_event({{"event", "loaded"},
                {"version", build_config::version},
                {"ggml", build_config::ggml_version},
                {"kernels", kernels().name}});
}

std::optional<Precision> chosen_precision() { return chosen.get(); }
void set_precision(const Precision& precision) { chosen.set(precision); }

CacheCounter& cache_counter() { return counter; }
CacheSum allocated() { return counter.get(); }
void reset_allocated() { counter.set({}); }

void log_error(const std::string& line) { log(GGML_LOG_LEVEL_ERROR, line); }

void report_refused(const std::string& reason) {
  log_error(reason);
  append_event({{"event", "refused"}, {"reason", reason}});
}

void report_caches(std::span<const HostedTensor* const> caches) {
  const CacheSummary summary(caches);
  log(GGML_LOG_LEVEL_INFO, summary.text() + " (" + kernels().name + ")");
  for (const std::string& note : summary.notes) log(GGML_LOG_LEVEL_WARN, note);
  append_event(event_of(summary, caches));
}

}  // namespace kvsplit::plugin
