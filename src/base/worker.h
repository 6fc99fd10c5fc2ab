#pragma once

namespace kvsplit {

/// Which of how many threads is calling. Every thread of one call makes the same call with its own
/// index; the work is divided by index, never handed out, so results do not depend on timing.
struct Worker {
  int index = 0;
  int count = 1;
};

}  // namespace kvsplit
