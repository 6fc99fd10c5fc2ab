#include "cache/packed_tensor.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "codec/group_codec.h"
#include "codec/half_group.h"
#include "codec/transform.h"

namespace kvsplit {
namespace {

std::int64_t tiles_per_stream(CellShape cells) {
  return (cells.kv_size + tile_rows - 1) / tile_rows;
}

using GroupCodes = std::array<std::uint8_t, group_channels>;

// The block of row t in a tile.
template <typename Byte>
Byte* block_of(Byte* tile, int bits, int t) {
  return tile + static_cast<std::size_t>(t / block_rows) * block_bytes(bits);
}

void put_codes(std::byte* tile, int bits, Side side, int t, const GroupCodes& codes) {
  const auto put_row = side == Side::key ? put_key_row : put_value_row;
  put_row(reinterpret_cast<std::uint8_t*>(block_of(tile, bits, t)), bits, t % block_rows,
          codes.data());
}

void get_codes(const std::byte* tile, int bits, Side side, int t, GroupCodes& codes) {
  const auto* const block = reinterpret_cast<const std::uint8_t*>(block_of(tile, bits, t));
  for (int c = 0; c < group_channels; ++c) {
    codes[c] =
        static_cast<std::uint8_t>(get_code(block, bits, code_index(side, t % block_rows, c)));
  }
}

// A little-endian bit stream of codes, lowest bits first.
void pack_stream(const GroupCodes& codes, int bits, std::byte* out) {
  unsigned pending = 0;
  int n_pending = 0;
  for (const std::uint8_t code : codes) {
    pending |= static_cast<unsigned>(code) << n_pending;
    for (n_pending += bits; n_pending >= 8; n_pending -= 8, pending >>= 8U) {
      *out++ = static_cast<std::byte>(pending & 0xFFU);
    }
  }
}

void unpack_stream(const std::byte* in, int bits, GroupCodes& codes) {
  unsigned pending = 0;
  int n_pending = 0;
  for (std::uint8_t& code : codes) {
    for (; n_pending < bits; n_pending += 8)
      pending |= std::to_integer<unsigned>(*in++) << n_pending;
    code = static_cast<std::uint8_t>(pending & ((1U << bits) - 1U));
    pending >>= bits;
    n_pending -= bits;
  }
}

}  // namespace

std::size_t PackedTensor::bytes(const RowFormat& format, CellShape cells) {
  return tile_layout(format, tiles_per_stream(cells) * cells.n_streams).bytes +
         ExactRows::bytes(format, cells.n_streams);
}

PackedTensor::PackedTensor(RowFormat format, Side side, CellShape cells, std::byte* memory)
    : format_(std::move(format)),
      side_(side),
      cells_(cells),
      memory_(memory),
      layout_(tile_layout(format_, tiles_per_stream(cells) * cells.n_streams)),
      exact_(format_, side, cells.n_streams, memory + layout_.bytes) {}

std::string PackedTensor::bind_heads(int head_dim) {
  const int n_channels = format_.n_channels();
  if (head_dim % head_dim_unit != 0) {
    return "head size " + std::to_string(head_dim) + " is not a multiple of 32";
  }
  if (head_dim > max_head_dim) {
    return "head size " + std::to_string(head_dim) + " is above " + std::to_string(max_head_dim);
  }
  if (head_dim <= 0 || n_channels % head_dim != 0) {
    return "heads of " + std::to_string(head_dim) + " do not divide rows of " +
           std::to_string(n_channels);
  }
  head_dim_ = head_dim;
  return {};
}

std::span<const GroupLayout> PackedTensor::head_groups(int head) const {
  const auto n = static_cast<std::size_t>(head_dim_ / group_channels);
  return std::span(layout_.groups).subspan(static_cast<std::size_t>(head) * n, n);
}

CellPlace PackedTensor::place(std::int64_t row) const {
  return {row / cells_.kv_size, row % cells_.kv_size};
}

std::int64_t PackedTensor::tile_number(std::int64_t row) const {
  const CellPlace at = place(row);
  return at.stream * tiles_per_stream(cells_) + at.cell / tile_rows;
}

std::byte* PackedTensor::tile(const GroupLayout& group, std::int64_t row) const {
  return memory_ + group.offset + static_cast<std::size_t>(tile_number(row)) * group.tile_stride;
}

std::byte* PackedTensor::tiles(const GroupLayout& group, std::int64_t stream) const {
  return memory_ + group.offset +
         static_cast<std::size_t>(stream * tiles_per_stream(cells_)) * group.tile_stride;
}

int PackedTensor::row_in_tile(std::int64_t row) const {
  return static_cast<int>(place(row).cell % tile_rows);
}

void PackedTensor::write_group(std::byte* tile, const GroupLayout& group, int t,
                               std::span<const float, group_channels> numbers) {
  if (group.coded()) {
    GroupCodes codes;  // NOLINT(*-member-init)
    const std::uint8_t scale = encode_group(
        numbers, group.bits, codes, format_.even_scales ? ScaleCodes::even : ScaleCodes::all);
    put_codes(tile, group.bits, side_, t, codes);
    tile[group.scales_offset() + t] = std::byte{scale};
    return;
  }
  put_halves(tile, side_, t, numbers);
}

void PackedTensor::write_head(std::int64_t row, int head, const float* values, bool exact) {
  std::array<float, max_head_dim> room;  // NOLINT(*-member-init): filled right below
  const std::span<float> turned{room.data(), static_cast<std::size_t>(head_dim_)};
  std::copy_n(values, head_dim_, turned.begin());
  transform_head(format_.transform, turned);
  const int t = row_in_tile(row);
  const float* next = turned.data();
  for (const GroupLayout& group : head_groups(head)) {
    const std::span<const float, group_channels> numbers(next, group_channels);
    write_group(tile(group, row), group, t, numbers);
    if (exact) exact_.put(place(row), group.number(), numbers);
    next += group_channels;
  }
}

// Which rows of a call will be in a slot after it: the last for each. Empty: none of any call.
std::vector<bool> PackedTensor::exact_rows_of(const WriteCall& call) const {
  if (exact_.n_slots() == 0) return {};
  std::vector<bool> exact(call.rows.size());
  std::vector<bool> taken(exact_.n_all_slots());
  for (std::size_t i = call.rows.size(); i-- > 0;) {
    const CellPlace at = place(call.rows[i]);
    if (!exact_.has_slot(at) || (call.edits && !exact_.holds(at))) continue;
    exact[i] = !taken[exact_.slot(at)];
    taken[exact_.slot(at)] = true;
  }
  return exact;
}

void PackedTensor::write(const WriteCall& call, Worker worker) {
  assert(head_dim_ > 0);
  const std::vector<bool> exact = exact_rows_of(call);
  // Rows of one tile share bytes, so a tile of a head belongs to one worker.
  for (std::size_t i = 0; i < call.rows.size(); ++i) {
    const std::int64_t row = call.rows[i];
    const auto* values = reinterpret_cast<const float*>(
        reinterpret_cast<const std::byte*>(call.values) + i * call.row_stride);
    const std::int64_t number = tile_number(row);
    const bool is_exact = !exact.empty() && exact[i];
    for (int head = 0; head < n_heads(); ++head) {
      if ((number + head) % worker.count != worker.index) continue;
      write_head(row, head, values + static_cast<std::ptrdiff_t>(head) * head_dim_, is_exact);
    }
    // An edit leaves the slots as they are; its workers read them while they write.
    if (is_exact && worker.index == 0 && !call.edits) exact_.take(place(row));
  }
}

void PackedTensor::read(std::int64_t row, std::span<float> values) const {
  assert(head_dim_ > 0 && values.size() == static_cast<std::size_t>(format_.n_channels()));
  const int t = row_in_tile(row);
  const bool exact = exact_.holds(place(row));
  GroupCodes codes;  // NOLINT(*-member-init)
  for (const GroupLayout& group : layout_.groups) {
    const std::byte* const at = tile(group, row);
    const auto numbers =
        values.subspan(static_cast<std::size_t>(group.first_channel), group_channels);
    if (exact) {
      exact_.get(place(row), group.number(), numbers);
    } else if (group.coded()) {
      get_codes(at, group.bits, side_, t, codes);
      decode_group(codes, group.bits, std::to_integer<std::uint8_t>(at[group.scales_offset() + t]),
                   numbers);
    } else {
      get_halves(at, side_, t, numbers);
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
      get_codes(at, group.bits, side_, t, codes);
      pack_stream(codes, group.bits, out);
      out[group.raw_code_bytes()] = at[group.scales_offset() + t];
    } else {
      for (int c = 0; c < group_channels; ++c) {
        std::memcpy(out + c * sizeof(Half), half_at(at, side_, t, c), sizeof(Half));
      }
    }
  }
}

void PackedTensor::write_raw(std::int64_t row, std::span<const std::byte> raw) {
  assert(raw.size() == raw_row_bytes());
  const int t = row_in_tile(row);
  exact_.leave(place(row));
  GroupCodes codes;  // NOLINT(*-member-init)
  for (const GroupLayout& group : layout_.groups) {
    std::byte* const at = tile(group, row);
    const std::byte* const in = raw.data() + group.raw_offset;
    if (group.coded()) {
      unpack_stream(in, group.bits, codes);
      put_codes(at, group.bits, side_, t, codes);
      at[group.scales_offset() + t] = in[group.raw_code_bytes()];
    } else {
      for (int c = 0; c < group_channels; ++c) {
        std::memcpy(half_at(at, side_, t, c), in + c * sizeof(Half), sizeof(Half));
      }
    }
  }
}

void PackedTensor::copy_stream(std::int64_t from, std::int64_t to) {
  if (from == to) return;
  exact_.copy_stream(from, to);
  const auto n_tiles = static_cast<std::size_t>(tiles_per_stream(cells_));
  for (const GroupLayout& group : layout_.groups) {
    for (std::size_t i = 0; i < n_tiles; ++i) {
      const std::size_t at = i * group.tile_stride;
      std::memcpy(tiles(group, to) + at, tiles(group, from) + at, group.tile_bytes);
    }
  }
}

}  // namespace kvsplit
