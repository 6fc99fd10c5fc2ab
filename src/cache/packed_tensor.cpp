#include "cache/packed_tensor.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstring>

#include "base/half.h"
#include "codec/group_codec.h"
#include "codec/transform.h"

namespace kvsplit {
namespace {

std::int64_t tiles_per_stream(CellShape cells) {
  return (cells.kv_size + tile_rows - 1) / tile_rows;
}

void store_half(std::byte* at, Half value) { std::memcpy(at, &value, sizeof(value)); }

Half load_half(const std::byte* at) {
  Half value = 0;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

// Attention multiplies by 0 what a query does not see: were a cell infinite or NaN, one sequence's
// broken numbers would reach the others.
Half finite_half(float x) {
  return std::isnan(x) ? Half{0} : float_to_half(std::clamp(x, -half_max, half_max));
}

using GroupCodes = std::array<std::uint8_t, max_head_dim>;

// Codes of row t of a tile, in channel order.
void put_codes(std::byte* tile, const GroupLayout& group, Side side, int t,
               const GroupCodes& codes) {
  auto* block = reinterpret_cast<std::uint8_t*>(tile);
  for (int c = 0; c < group.n_channels; c += block_channels, block += block_bytes(group.bits)) {
    const auto put_row = side == Side::key ? put_key_row : put_value_row;
    put_row(block, group.bits, t, codes.data() + c);
  }
}

void get_codes(const std::byte* tile, const GroupLayout& group, Side side, int t,
               GroupCodes& codes) {
  for (int c = 0; c < group.n_channels; ++c) {
    const auto* block = reinterpret_cast<const std::uint8_t*>(tile) +
                        (c / block_channels) * block_bytes(group.bits);
    codes[c] = static_cast<std::uint8_t>(
        get_code(block, group.bits, code_index(side, t, c % block_channels)));
  }
}

std::byte* half_at(std::byte* tile, Side side, int t, int c) {
  return tile + (c / block_channels) * block_bytes(16) +
         half_index(side, t, c % block_channels) * sizeof(Half);
}

const std::byte* half_at(const std::byte* tile, Side side, int t, int c) {
  return half_at(const_cast<std::byte*>(tile), side, t, c);
}

std::byte* scale_at(std::byte* tile, const GroupLayout& group, int t) {
  return tile + group.scales_offset() + t * sizeof(Half);
}

const std::byte* scale_at(const std::byte* tile, const GroupLayout& group, int t) {
  return scale_at(const_cast<std::byte*>(tile), group, t);
}

// A little-endian bit stream of codes, lowest bits first.
void pack_stream(const GroupCodes& codes, int n, int bits, std::byte* out) {
  unsigned pending = 0;
  int n_pending = 0;
  for (int i = 0; i < n; ++i) {
    pending |= static_cast<unsigned>(codes[i]) << n_pending;
    for (n_pending += bits; n_pending >= 8; n_pending -= 8, pending >>= 8U) {
      *out++ = static_cast<std::byte>(pending & 0xFFU);
    }
  }
}

void unpack_stream(const std::byte* in, int n, int bits, GroupCodes& codes) {
  unsigned pending = 0;
  int n_pending = 0;
  for (int i = 0; i < n; ++i) {
    for (; n_pending < bits; n_pending += 8)
      pending |= std::to_integer<unsigned>(*in++) << n_pending;
    codes[i] = static_cast<std::uint8_t>(pending & ((1U << bits) - 1U));
    pending >>= bits;
    n_pending -= bits;
  }
}

}  // namespace

std::size_t PackedTensor::bytes(const RowFormat& format, CellShape cells) {
  return tile_layout(format, tiles_per_stream(cells) * cells.n_streams).bytes;
}

PackedTensor::PackedTensor(RowFormat format, Side side, CellShape cells, std::byte* memory)
    : format_(std::move(format)),
      side_(side),
      cells_(cells),
      memory_(memory),
      layout_(tile_layout(format_, tiles_per_stream(cells) * cells.n_streams)) {}

std::string PackedTensor::bind_heads(int head_dim) {
  const int n_channels = format_.n_channels();
  if (head_dim % uniform_group_channels != 0) {
    return "head size " + std::to_string(head_dim) + " is not a multiple of 32";
  }
  if (head_dim > max_head_dim) {
    return "head size " + std::to_string(head_dim) + " is above " + std::to_string(max_head_dim);
  }
  if (head_dim <= 0 || n_channels % head_dim != 0) {
    return "heads of " + std::to_string(head_dim) + " do not divide rows of " +
           std::to_string(n_channels);
  }
  for (const GroupLayout& group : layout_.groups) {
    if (group.first_channel / head_dim != (group.first_channel + group.n_channels - 1) / head_dim) {
      return "a group of channels spans two heads of " + std::to_string(head_dim);
    }
  }
  head_dim_ = head_dim;
  return {};
}

std::span<const GroupLayout> PackedTensor::head_groups(int head) const {
  const auto begin =
      std::ranges::lower_bound(layout_.groups, head * head_dim_, {}, &GroupLayout::first_channel);
  const auto end = std::ranges::lower_bound(layout_.groups, (head + 1) * head_dim_, {},
                                            &GroupLayout::first_channel);
  return {begin, end};
}

std::int64_t PackedTensor::tile_number(std::int64_t row) const {
  return row / cells_.kv_size * tiles_per_stream(cells_) + row % cells_.kv_size / tile_rows;
}

std::byte* PackedTensor::tile(const GroupLayout& group, std::int64_t row) const {
  return memory_ + group.offset + static_cast<std::size_t>(tile_number(row)) * group.tile_bytes;
}

std::byte* PackedTensor::tiles(const GroupLayout& group, std::int64_t stream) const {
  return memory_ + group.offset +
         static_cast<std::size_t>(stream * tiles_per_stream(cells_)) * group.tile_bytes;
}

int PackedTensor::row_in_tile(std::int64_t row) const {
  return static_cast<int>(row % cells_.kv_size % tile_rows);
}

void PackedTensor::write_head(std::int64_t row, int head, const float* values) {
  std::array<float, max_head_dim> numbers;  // NOLINT(*-member-init): filled right below
  const std::span<float> turned{numbers.data(), static_cast<std::size_t>(head_dim_)};
  std::copy_n(values, head_dim_, turned.begin());
  transform_head(format_.transform, turned);
  const int t = row_in_tile(row);
  GroupCodes codes;  // NOLINT(*-member-init)
  for (const GroupLayout& group : head_groups(head)) {
    const auto in_head = static_cast<std::size_t>(group.first_channel - head * head_dim_);
    const auto n = static_cast<std::size_t>(group.n_channels);
    std::byte* const at = tile(group, row);
    if (group.coded()) {
      const Half scale =
          encode_group(turned.subspan(in_head, n), group.bits, std::span(codes).first(n));
      put_codes(at, group, side_, t, codes);
      store_half(scale_at(at, group, t), scale);
    } else {
      for (int c = 0; c < group.n_channels; ++c) {
        const float x = turned[in_head + static_cast<std::size_t>(c)];
        store_half(half_at(at, side_, t, c), finite_half(x));
      }
    }
  }
}

void PackedTensor::write(const WriteCall& call, Worker worker) {
  assert(head_dim_ > 0);
  // Rows of one tile share bytes, so a tile of a head belongs to one worker.
  for (std::size_t i = 0; i < call.rows.size(); ++i) {
    const std::int64_t row = call.rows[i];
    const auto* values = reinterpret_cast<const float*>(
        reinterpret_cast<const std::byte*>(call.values) + i * call.row_stride);
    const std::int64_t number = tile_number(row);
    for (int head = 0; head < n_heads(); ++head) {
      if ((number + head) % worker.count != worker.index) continue;
      write_head(row, head, values + static_cast<std::ptrdiff_t>(head) * head_dim_);
    }
  }
}

void PackedTensor::read(std::int64_t row, std::span<float> values) const {
  assert(head_dim_ > 0 && values.size() == static_cast<std::size_t>(format_.n_channels()));
  const int t = row_in_tile(row);
  GroupCodes codes;  // NOLINT(*-member-init)
  for (const GroupLayout& group : layout_.groups) {
    const std::byte* const at = tile(group, row);
    const auto n = static_cast<std::size_t>(group.n_channels);
    const std::span<float> numbers =
        values.subspan(static_cast<std::size_t>(group.first_channel), n);
    if (group.coded()) {
      get_codes(at, group, side_, t, codes);
      decode_group(std::span(codes).first(n), group.bits, load_half(scale_at(at, group, t)),
                   numbers);
    } else {
      for (int c = 0; c < group.n_channels; ++c) {
        numbers[static_cast<std::size_t>(c)] = half_to_float(load_half(half_at(at, side_, t, c)));
      }
    }
  }
  for (int head = 0; head < n_heads(); ++head) {
    const auto first = static_cast<std::size_t>(head) * static_cast<std::size_t>(head_dim_);
    inverse_transform_head(format_.transform,
                           values.subspan(first, static_cast<std::size_t>(head_dim_)));
  }
}

void PackedTensor::read_raw(std::int64_t row, std::span<std::byte> raw) const {
  assert(raw.size() == raw_row_bytes());
  const int t = row_in_tile(row);
  GroupCodes codes;  // NOLINT(*-member-init)
  for (const GroupLayout& group : layout_.groups) {
    const std::byte* const at = tile(group, row);
    std::byte* const out = raw.data() + group.raw_offset;
    if (group.coded()) {
      get_codes(at, group, side_, t, codes);
      pack_stream(codes, group.n_channels, group.bits, out);
      store_half(out + group.raw_code_bytes(), load_half(scale_at(at, group, t)));
    } else {
      for (int c = 0; c < group.n_channels; ++c) {
        store_half(out + c * sizeof(Half), load_half(half_at(at, side_, t, c)));
      }
    }
  }
}

void PackedTensor::write_raw(std::int64_t row, std::span<const std::byte> raw) {
  assert(raw.size() == raw_row_bytes());
  const int t = row_in_tile(row);
  GroupCodes codes;  // NOLINT(*-member-init)
  for (const GroupLayout& group : layout_.groups) {
    std::byte* const at = tile(group, row);
    const std::byte* const in = raw.data() + group.raw_offset;
    if (group.coded()) {
      unpack_stream(in, group.n_channels, group.bits, codes);
      put_codes(at, group, side_, t, codes);
      store_half(scale_at(at, group, t), load_half(in + group.raw_code_bytes()));
    } else {
      for (int c = 0; c < group.n_channels; ++c) {
        store_half(half_at(at, side_, t, c), load_half(in + c * sizeof(Half)));
      }
    }
  }
}

void PackedTensor::copy_stream(std::int64_t from, std::int64_t to) {
  if (from == to) return;
  const auto n_tiles = static_cast<std::size_t>(tiles_per_stream(cells_));
  for (const GroupLayout& group : layout_.groups) {
    std::memcpy(tiles(group, to), tiles(group, from), n_tiles * group.tile_bytes);
  }
}

}  // namespace kvsplit
