#pragma once

#include <cstdint>
#include <string>

namespace kvsplit::host {

/// Threads that arithmetic is worth: the physical cores this process may run on.
int default_threads();

/// The processor, as the system calls it. After start() (host/backend.h).
std::string processor_name();

/// Most memory this process has had resident, in bytes, since it began or, where the system can
/// forget it (Linux), since forget_peak_rss().
std::uint64_t peak_rss_bytes();
void forget_peak_rss();

}  // namespace kvsplit::host
