#include <array>
#include <cstdlib>
#include <string>

#include "base/cpu_features.h"
#include "base/error.h"
#include "kernels/attend.h"
#include "kernels/targets.h"

namespace kvsplit {
namespace {

constexpr std::array tables {
#if defined(__x86_64__)
  &avx512::table, &avx_vnni::table, &avx2::table,
#elif defined(__aarch64__)
  &neon_dot::table, &neon::table,
#endif
      &scalar::table,
};

const KernelTable& choose() {
  const char* const variable = std::getenv("KVSPLIT_ISA");
  const std::string forced = variable == nullptr ? "" : variable;
  std::string names;
  for (const KernelTable* table : tables) {
    if (forced.empty()) {
      if (table->supported()) return *table;
    } else if (forced == table->name) {
      if (table->supported()) return *table;
      throw Error("KVSPLIT_ISA=" + forced + ": this processor does not have it");
    }
    names += names.empty() ? table->name : std::string(", ") + table->name;
  }
  throw Error("KVSPLIT_ISA=" + forced + ": unknown, there are " + names);
}

}  // namespace

std::span<const KernelTable* const> all_kernels() { return tables; }

const KernelTable& kernels() {
  static const KernelTable& chosen = choose();
  return chosen;
}

}  // namespace kvsplit
