#include "codec/row_format.h"

#include <cassert>

namespace kvsplit {

int RowFormat::n_channels() const {
  int n = 0;
  for (const Group& group : groups) n += group.n_channels;
  return n;
}

std::uint64_t RowFormat::fingerprint() const {
  // FNV-1a over what gives stored bytes their meaning; the leading number is the layout's version.
  std::uint64_t hash = 0xCBF29CE484222325U;
  const auto add = [&hash](std::uint64_t value) {
    for (int byte = 0; byte < 8; ++byte, value >>= 8U)
      hash = (hash ^ (value & 0xFFU)) * 0x100000001B3U;
  };
  add(1);
  add(static_cast<std::uint64_t>(transform));
  for (const Group& group : groups) {
    add(static_cast<std::uint64_t>(group.n_channels));
    add(static_cast<std::uint64_t>(group.bits));
  }
  return hash == 0 ? 1 : hash;
}

RowFormat uniform_format(int n_channels, int bits, TransformKind transform) {
  assert(n_channels % uniform_group_channels == 0);
  RowFormat format;
  format.transform = transform;
  format.groups.assign(static_cast<std::size_t>(n_channels / uniform_group_channels),
                       Group{uniform_group_channels, bits});
  return format;
}

}  // namespace kvsplit
