#include "codec/group_row.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/half.h"
#include "codec/group_codec.h"

namespace kvsplit {
namespace {

using GroupWords = std::array<std::uint16_t, group_channels>;  // codes or halves

std::uint8_t* block_of(const GroupRow& row) {
  return reinterpret_cast<std::uint8_t*>(row.tile) +
         row.t / block_rows * block_bytes(row.group.bits);
}

std::uint8_t* half_at(const GroupRow& row, int c) {
  return block_of(row) + half_index(row.side, row.t % block_rows, c) * sizeof(Half);
}

void put_words(const GroupRow& row, const GroupWords& words) {
  if (row.group.bits == 16) {
    for (int c = 0; c < group_channels; ++c) std::memcpy(half_at(row, c), &words[c], sizeof(Half));
  } else {
    const auto put_row = row.side == Side::key ? put_key_row : put_value_row;
    put_row(block_of(row), row.group.bits, row.t % block_rows, words.data());
  }
}

GroupWords get_words(const GroupRow& row) {
  GroupWords words;  // NOLINT(*-member-init): filled right below
  for (int c = 0; c < group_channels; ++c) {
    if (row.group.bits == 16) {
      std::memcpy(&words[c], half_at(row, c), sizeof(Half));
    } else {
      const int index = code_index(row.side, row.t % block_rows, c);
      words[c] = static_cast<std::uint16_t>(get_code(block_of(row), row.group.bits, index));
    }
  }
  return words;
}

ScaleCodes scale_codes(int short_scale_base, bool even) {
  if (short_scale_base < 0) return even ? even_scale_codes : ScaleCodes{};
  return {short_scale_base, short_scale_step,
          short_scale_base + max_short_scale * short_scale_step};
}

// Where a row's scale is and what its bits there count.
struct ScalePlace {
  std::byte& byte;
  int shift, most;
  int base, step;
};

ScalePlace scale_place(const GroupRow& row) {
  const auto n_bytes = static_cast<int>(row.group.scale_bytes());
  std::byte& byte = row.tile[row.group.scales_offset() + row.t % n_bytes];
  const int base = row.group.short_scale_base;
  if (base < 0) return {byte, 0, max_scale_code, 0, 1};
  return {byte, row.t / n_bytes * 4, max_short_scale, base, short_scale_step};
}

void put_scale(const GroupRow& row, std::uint8_t code) {
  const auto [byte, shift, most, base, step] = scale_place(row);
  byte = (byte & ~std::byte(most << shift)) | std::byte(((code - base) / step & most) << shift);
}

std::uint8_t get_scale(const GroupRow& row) {
  const auto [byte, shift, most, base, step] = scale_place(row);
  return static_cast<std::uint8_t>(base + step * (std::to_integer<int>(byte) >> shift & most));
}

Half finite_half(float x) {
  return std::isnan(x) ? Half{0} : float_to_half(std::clamp(x, -half_max, half_max));
}

}  // namespace

void GroupRow::write(std::span<const float> numbers, bool even_scales) const {
  GroupWords words;  // NOLINT(*-member-init): filled unless there are no bits for them
  if (group.bits == 16) std::ranges::transform(numbers, words.begin(), finite_half);
  if (group.coded()) {
    const ScaleCodes scales = scale_codes(group.short_scale_base, even_scales);
    put_scale(*this, encode_group(numbers, group.bits, words, scales));
  }
  if (group.bits > 0) put_words(*this, words);
}

void GroupRow::read(std::span<float> numbers) const {
  const GroupWords words = get_words(*this);
  if (group.coded()) {
    decode_group(words, group.bits, get_scale(*this), numbers);
  } else {
    std::ranges::transform(words, numbers.begin(), half_to_float);  // of no bits: of 0
  }
}

void GroupRow::copy(const GroupRow& from) const {
  put_words(*this, get_words(from));
  if (group.coded() && from.group.coded()) put_scale(*this, get_scale(from));
}

// Codes are a little-endian bit stream, lowest bits first.
void GroupRow::save(std::byte* raw) const {
  unsigned pending = 0;
  int n_pending = 0;
  for (const std::uint16_t word : get_words(*this)) {
    pending |= static_cast<unsigned>(word) << n_pending;
    for (n_pending += group.bits; n_pending >= 8; n_pending -= 8, pending >>= 8U) {
      *raw++ = static_cast<std::byte>(pending & 0xFFU);
    }
  }
  if (group.coded()) *raw = std::byte{get_scale(*this)};
}

void GroupRow::restore(const std::byte* raw) const {
  unsigned pending = 0;
  int n_pending = 0;
  GroupWords words;  // NOLINT(*-member-init): filled right below
  for (std::uint16_t& word : words) {
    for (; n_pending < group.bits; n_pending += 8)
      pending |= std::to_integer<unsigned>(*raw++) << n_pending;
    word = static_cast<std::uint16_t>(pending & ((1U << group.bits) - 1U));
    pending >>= group.bits;
    n_pending -= group.bits;
  }
  put_words(*this, words);
  if (group.coded()) put_scale(*this, std::to_integer<std::uint8_t>(*raw));
}

bool GroupRow::blank() const {
  const GroupWords words = get_words(*this);
  return !group.coded() || std::ranges::count(words, 0) == group_channels;
}

}  // namespace kvsplit
