#include "codec/row_format.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace kvsplit {

std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char byte : bytes) hash = (hash ^ static_cast<std::uint8_t>(byte)) * 0x100000001B3U;
  return hash;
}

std::uint64_t RowFormat::fingerprint() const {
  static_assert(std::endian::native == std::endian::little);
  // What gives stored bytes their meaning; the leading number is the layout's version.
  const auto flag = [](bool set, std::uint64_t bit) { return set ? bit : 0U; };
  std::vector<std::uint64_t> said{
      2, static_cast<std::uint64_t>(transform),
      flag(even_scales, 1) | flag(n_slots() > 0, 2) | flag(exact_saved, 4) | flag(whole_scales, 8)};
  if (maps) said.push_back(maps->fingerprint);
  said.insert(said.end(), group_bits.begin(), group_bits.end());
  return std::max<std::uint64_t>(
      fnv1a({reinterpret_cast<const char*>(said.data()), said.size() * sizeof(said[0])}), 1);
}

RowFormat uniform_format(int n_channels, int bits, TransformKind transform) {
  assert(n_channels % group_channels == 0);
  return {std::vector<int>(static_cast<std::size_t>(n_channels / group_channels), bits), transform};
}

}  // namespace kvsplit
