#include "codec/transform.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace kvsplit {
namespace {

// Fast Walsh-Hadamard transform of a multiple of 4 numbers: n log2 n additions. The first two
// stages in one, and fours in the others, so that the compiler uses vectors.
void hadamard(std::span<float> block) {
  const std::size_t n = block.size();
  for (std::size_t i = 0; i < n; i += 4) {
    float* const x = &block[i];
    const std::array<float, 4> y{x[0] + x[1], x[0] - x[1], x[2] + x[3], x[2] - x[3]};
    x[0] = y[0] + y[2];
    x[1] = y[1] + y[3];
    x[2] = y[0] - y[2];
    x[3] = y[1] - y[3];
  }
  for (std::size_t half = 4; half < n; half *= 2) {
    for (std::size_t start = 0; start < n; start += 2 * half) {
      for (std::size_t i = start; i < start + half; i += 4) {
        float* const first = &block[i];
        float* const second = &block[i + half];
        for (int lane = 0; lane < 4; ++lane) {
          const float a = first[lane];
          const float b = second[lane];
          first[lane] = a + b;
          second[lane] = a - b;
        }
      }
    }
  }
  const float scale = 1.0F / std::sqrt(static_cast<float>(n));
  for (float& x : block) x *= scale;
}

const HeadMap* map_of(const RowFormat& format, int head) {
  return format.maps ? &format.maps->heads[static_cast<std::size_t>(head)] : nullptr;
}

using Room = std::array<float, max_kernel_head_dim>;

// out = numbers · matrix, its first columns; out may be where the numbers are.
void multiply(const std::vector<float>& matrix, std::span<const float> numbers,
              std::span<float> out) {
  Room room;  // NOLINT(*-member-init): filled as far as read
  std::ranges::copy(numbers, room.begin());
  const auto n = static_cast<int>(numbers.size());
  kernels().multiply(matrix.data(), n, static_cast<int>(matrix.size()) / n,
                     static_cast<int>(out.size()), room.data(), out.data());
}

// numbers += sign · more
void add(std::span<float> numbers, std::span<const float> more, float sign = 1) {
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] += sign * more[i];
}

}  // namespace

void transform_head(TransformKind kind, std::span<float> head) {
  if (kind == TransformKind::identity) return;
  const std::size_t n = head.size();
  const std::size_t block = n & (~n + 1);  // the largest power of two that divides n
  for (std::size_t start = 0; start < n; start += block) hadamard(head.subspan(start, block));
}

void into_space(const RowFormat& format, int head, std::int32_t position,
                std::span<float> numbers) {
  const HeadMap* const map = map_of(format, head);
  if (map == nullptr) return transform_head(format.transform, numbers);
  const Rotation& rotation = format.maps->rotation;
  if (format.frame_cells() > 0) turn_head(rotation, turn_of(rotation, position), numbers, -1);
  add(numbers, map->mean, -1);
  multiply(map->into, numbers, numbers);
}

void out_of_space(const RowFormat& format, int head, std::int32_t position,
                  std::span<float> numbers) {
  value_out_of_space(format, head, numbers);
  if (format.frame_cells() == 0) return;
  const Rotation& rotation = format.maps->rotation;
  turn_head(rotation, turn_of(rotation, position), numbers);
}

void add_place(const RowFormat& format, int head, std::int32_t cell, float sign,
               std::span<float> numbers) {
  if (format.frame_cells() == 0) return;
  const HeadMap& map = *map_of(format, head);
  Room room;  // NOLINT(*-member-init): filled as far as read
  const std::span<float> mean = std::span(room).first(numbers.size());
  multiply(map.place_basis, map.place(cell), mean);  // B · place[cell]
  add(numbers, mean, sign);
}

void value_out_of_space(const RowFormat& format, int head, std::span<float> numbers) {
  const HeadMap* const map = map_of(format, head);
  if (map == nullptr) return transform_head(format.transform, numbers);
  multiply(map->back, numbers, numbers);
  add(numbers, map->mean);
}

void queries_into_space(const RowFormat& format, int head, const Turn& frame, QueryMap map,
                        float* lacking) {
  const HeadMap* const head_map = map_of(format, head);
  if (head_map == nullptr) {
    std::fill_n(lacking, map.n_rows, 0.0F);
    std::copy_n(map.in, map.n_rows * max_query_channels, map.out);
    return;
  }
  const std::size_t dim = head_map->mean.size();
  FewQueries turned;  // NOLINT(*-member-init): filled as far as read
  for (int i = 0; i < map.n_rows; ++i) {
    const std::span<float> row{&turned[i * max_query_channels], dim};
    std::copy_n(map.in + i * max_query_channels, dim, row.begin());
    if (format.frame_cells() > 0) turn_head(format.maps->rotation, frame, row, -1);
    lacking[i] = std::transform_reduce(row.begin(), row.end(), head_map->mean.begin(), 0.0F);
  }
  map.in = turned.data();
  kernels().map_queries(head_map->query.data(), static_cast<int>(dim),
                        static_cast<int>(head_map->query.size() / dim), map);
}

}  // namespace kvsplit
