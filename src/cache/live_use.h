#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace kvsplit {

/// How much of its caches a program uses, for another process to watch. Of the first layer that
/// writes to a cache of ours; the others hold as many tokens, or those of their window.
struct LiveUse {
  std::atomic<std::uint64_t> tokens;  ///< read or written by the model so far
  std::atomic<std::uint64_t> cells;   ///< that hold the text of the last of them
};

/// A LiveUse that lies in a file, for as long as the object lives; zeros where the file is new.
class LiveUseFile {
 public:
  /// Error: it cannot be made, or not be mapped.
  explicit LiveUseFile(const std::string& file);

  LiveUse* operator->() const { return use_.get(); }

 private:
  struct Unmap {
    void operator()(LiveUse* use) const;
  };
  std::unique_ptr<LiveUse, Unmap> use_;
};

/// From now on this process counts what it writes to its caches in the file that $KVSPLIT_METER
/// names, where it does, until its end. Error: as above.
void count_live_use();

}  // namespace kvsplit
