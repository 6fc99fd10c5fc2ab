#include <array>
#include <string>

#include "base/error.h"
#include "base/system.h"
#include "kernels/attend.h"

namespace kvsplit {
namespace {

constexpr std::array tables {
#if defined(__x86_64__)
  &avx512_table, &avx_vnni_table, &avx2_table,
#elif defined(__aarch64__)
  &neon_dot_table, &neon_table,
#endif
      &scalar_table,
};

const KernelTable& choose() {
  const std::string forced = environment("KVSPLIT_ISA");
  std::string names;
  for (const KernelTable* table : tables) {
    const bool is_forced = forced == table->name;
    if ((forced.empty() || is_forced) && table->supported()) return *table;
    if (is_forced) throw Error("KVSPLIT_ISA=" + forced + ": this processor does not have it");
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
