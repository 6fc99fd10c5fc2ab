#include "codec/row_format.h"

#include <cassert>

namespace kvsplit {

std::uint64_t RowFormat::fingerprint() const {
  // FNV-1a over what gives stored bytes their meaning; the leading number is the layout's version.
  std::uint64_t hash = 0xCBF29CE484222325U;
  const auto add = [&hash](std::uint64_t value) {
    for (int byte = 0; byte < 8; ++byte, value >>= 8U)
      hash = (hash ^ (value & 0xFFU)) * 0x100000001B3U;
  };
  add(2);
  add(static_cast<std::uint64_t>(transform));
  add(even_scales ? 1 : 0);
  for (const int bits : group_bits) add(static_cast<std::uint64_t>(bits));
  return hash == 0 ? 1 : hash;
}

RowFormat uniform_format(int n_channels, int bits, TransformKind transform) {
  assert(n_channels % group_channels == 0);
  RowFormat format;
  format.transform = transform;
  format.group_bits.assign(static_cast<std::size_t>(n_channels / group_channels), bits);
  return format;
}

}  // namespace kvsplit
