#include "cache/live_use.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/system.h"
#include "cache/hosted_tensor.h"

namespace kvsplit {
namespace {

LiveUse* map(const std::string& file) {
  const int opened = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  void* memory = MAP_FAILED;
  if (opened >= 0 && ftruncate(opened, sizeof(LiveUse)) == 0) {
    memory = mmap(nullptr, sizeof(LiveUse), PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
  }
  if (opened >= 0) close(opened);
  if (memory == MAP_FAILED) throw Error(file + ": cannot be written");
  return static_cast<LiveUse*>(memory);
}

class Counter : public Tap {
 public:
  explicit Counter(const std::string& file) : use_(file) {}

  void rows(const NominalRows& cache, const WriteCall& call) override {
    if (!first_layer_) first_layer_ = cache.layer;
    if (cache.layer != *first_layer_ || cache.side != Side::key || call.rows.empty()) return;
    const std::size_t n = call.rows.size();
    use_->tokens += n;
    // Cells are numbered as they are filled, as long as there is one text.
    const auto last = call.positions != nullptr ? std::int64_t{call.positions[n - 1]}
                                                : std::ranges::max(call.rows);
    use_->cells = static_cast<std::uint64_t>(std::max<std::int64_t>(last, 0)) + 1;
  }
  void attention(const NominalRows& /*keys*/, const AttentionCall& /*call*/) override {}

 private:
  LiveUseFile use_;
  std::optional<int> first_layer_;
};

}  // namespace

LiveUseFile::LiveUseFile(const std::string& file) : use_(map(file)) {}

void LiveUseFile::Unmap::operator()(LiveUse* use) const { munmap(use, sizeof(LiveUse)); }

void count_live_use() {
  const std::string file = environment("KVSPLIT_METER");
  if (file.empty()) return;
  static Counter counter(file);
  tap() = &counter;
}

}  // namespace kvsplit
