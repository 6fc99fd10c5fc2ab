#pragma once

#include <optional>
#include <span>
#include <string>

#include "cache/cache_table.h"
#include "plugin/host_version.h"

// What is one per process: settings, sums, and what is told. That is lines in ggml's log for the
// user, and for the program that started the host one JSON object per line in the file that
// $KVSPLIT_REPORT names; nothing else is printed.
namespace kvsplit::plugin {

/// Reads $KVSPLIT, the precision of caches, and $KVSPLIT_METER, a file of LiveUse, and says that we
/// are here. Error: they are none.
/// {"event": "loaded", "version", "ggml", "kernels"}
void start();
/// The precision that was chosen; where there is none, nominal cache types choose.
std::optional<Precision> chosen_precision();

/// What allocated() of plugin.h tells.
CacheCounter& cache_counter();

void log_error(const std::string& line);
/// {"event": "refused", "reason"}, and the reason as an error line.
void report_refused(const std::string& reason);
/// The caches that a first graph is about to use: one line, and a warning for each thing to know.
/// What event_of() says of them.
void report_caches(std::span<const HostedTensor* const> caches);

}  // namespace kvsplit::plugin
