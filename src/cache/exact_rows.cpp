#include "cache/exact_rows.h"

#include <algorithm>
#include <cmath>

#include "codec/tile_layout.h"

namespace kvsplit {
namespace {

// Slots are rounded up to whole blocks of 16 rows.
std::size_t group_bytes(int n_slots) {
  return static_cast<std::size_t>((n_slots + block_rows - 1) / block_rows) * block_bytes(16);
}

}  // namespace

std::size_t ExactRows::bytes(const RowFormat& format, std::int64_t n_streams) {
  return static_cast<std::size_t>(n_streams) * format.group_bits.size() *
         group_bytes(format.sinks + format.window);
}

ExactRows::ExactRows(const RowFormat& format, Side side, std::int64_t n_streams, std::byte* memory)
    : side_(side),
      sinks_(format.sinks),
      window_(format.window),
      n_groups_(format.group_bits.size()),
      memory_(memory),
      cells_(static_cast<std::size_t>(n_streams * n_slots()), -1) {}

Half* ExactRows::half_at(std::int64_t stream, int slot, std::size_t group, int channel) const {
  const std::size_t first =
      (static_cast<std::size_t>(stream) * n_groups_ + group) * group_bytes(n_slots()) +
      static_cast<std::size_t>(slot / block_rows) * block_bytes(16);
  return reinterpret_cast<Half*>(memory_ + first) + half_index(side_, slot % block_rows, channel);
}

void ExactRows::put(std::int64_t stream, int slot, std::size_t group,
                    std::span<const float> numbers) {
  for (int c = 0; c < group_channels; ++c) {
    *half_at(stream, slot, group, c) = finite_half(numbers[static_cast<std::size_t>(c)]);
  }
}

void ExactRows::get(std::int64_t stream, int slot, std::size_t group,
                    std::span<float> numbers) const {
  for (int c = 0; c < group_channels; ++c) {
    numbers[static_cast<std::size_t>(c)] = half_to_float(*half_at(stream, slot, group, c));
  }
}

GroupTiles ExactRows::tile(std::int64_t stream, std::size_t group) const {
  return {reinterpret_cast<const std::byte*>(half_at(stream, 0, group, 0)), 0, 16};
}

void ExactRows::copy_stream(std::int64_t from, std::int64_t to) {
  const std::size_t size = n_groups_ * group_bytes(n_slots());
  std::copy_n(memory_ + static_cast<std::size_t>(from) * size, size,
              memory_ + static_cast<std::size_t>(to) * size);
  for (int i = 0; i < n_slots(); ++i) set_cell(to, i, cells(from)[static_cast<std::size_t>(i)]);
}

void ExactRows::forget() { std::ranges::fill(cells_, -1); }

}  // namespace kvsplit
