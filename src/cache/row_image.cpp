#include "cache/row_image.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "cache/packed_tensor.h"

namespace kvsplit {
namespace {

constexpr std::array<char, 4> magic{'k', 'v', 's', '1'};
constexpr std::size_t trailer_bytes = magic.size() + sizeof(std::uint32_t);
constexpr std::byte mark_bit{1};

using Trailer = std::array<std::byte, trailer_bytes>;

Trailer trailer(std::uint64_t fingerprint) {
  Trailer bytes;  // NOLINT(*-member-init): filled right below
  std::ranges::copy(std::as_bytes(std::span(magic)), bytes.begin());
  const auto half = static_cast<std::uint32_t>(fingerprint ^ fingerprint >> 32U);
  std::memcpy(&bytes[magic.size()], &half, sizeof(half));
  return bytes;
}

}  // namespace

RowImage::Mark RowImage::mark_for(const RowFormat& format, std::size_t nominal_row_bytes) {
  const std::size_t raw_bytes = tile_layout(format, 1).raw_row_bytes;
  if (raw_bytes + trailer_bytes <= nominal_row_bytes) return Mark::trailer;
  const bool coded = std::ranges::any_of(format.group_bits, [](int bits) { return bits != 16; });
  return coded ? Mark::scales : Mark::none;
}

int RowImage::code_bytes_beside_exact(int n_groups) {
  const std::size_t of_group = 2 * group_channels - 1 - exact_group.raw_bytes();  // less its scale
  const std::size_t once = trailer_bytes + exact_mark_bytes + sizeof(PlaceInFrame);
  return static_cast<int>(n_groups * of_group) - static_cast<int>(once);
}

RowImage::RowImage(const RowFormat& format, std::size_t nominal_row_bytes)
    : fingerprint_(format.fingerprint()), mark_(mark_for(format, nominal_row_bytes)) {
  const TileLayout layout = tile_layout(format, 1);
  raw_bytes_ = layout.raw_row_bytes;
  for (const GroupLayout& group : layout.groups) {
    if (group.coded()) scales_.push_back(group.raw_offset + group.raw_code_bytes());
  }
  assert(mark_ != Mark::scales || format.even_scales);
}

// The first is always set: a row without any mark is the host's own, or another program's.
bool RowImage::scale_mark(std::size_t scale) const {
  return scale == 0 || (fingerprint_ >> (scale % 64) & 1U) != 0;
}

void RowImage::seal(std::span<std::byte> image) const {
  std::ranges::fill(image.subspan(raw_bytes_), std::byte{0});
  if (mark_ == Mark::trailer) {
    std::ranges::copy(trailer(fingerprint_), image.last(trailer_bytes).begin());
  } else if (mark_ == Mark::scales) {
    for (std::size_t i = 0; i < scales_.size(); ++i) {
      if (scale_mark(i)) image[scales_[i]] |= mark_bit;
    }
  }
}

bool RowImage::open(std::span<std::byte> image) const {
  if (all_zero(image)) return true;
  const bool has_trailer =
      image.size() >= trailer_bytes &&
      std::memcmp(image.last(trailer_bytes).data(), magic.data(), magic.size()) == 0;
  if (mark_ == Mark::none) return !has_trailer;
  if (mark_ == Mark::trailer) {
    return has_trailer && std::ranges::equal(image.last(trailer_bytes), trailer(fingerprint_));
  }
  for (std::size_t i = 0; i < scales_.size(); ++i) {
    if (((image[scales_[i]] & mark_bit) != std::byte{0}) != scale_mark(i)) return false;
  }
  for (const std::size_t at : scales_) image[at] &= ~mark_bit;
  return true;
}

}  // namespace kvsplit
