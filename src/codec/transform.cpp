#include "codec/transform.h"

#include <cmath>
#include <cstddef>

namespace kvsplit {
namespace {

// Fast Walsh-Hadamard transform: n log2 n additions.
void hadamard(std::span<float> block) {
  const std::size_t n = block.size();
  for (std::size_t half = 1; half < n; half *= 2) {
    for (std::size_t start = 0; start < n; start += 2 * half) {
      for (std::size_t i = start; i < start + half; ++i) {
        const float a = block[i];
        const float b = block[i + half];
        block[i] = a + b;
        block[i + half] = a - b;
      }
    }
  }
  const float scale = 1.0F / std::sqrt(static_cast<float>(n));
  for (float& x : block) x *= scale;
}

}  // namespace

void transform_head(TransformKind kind, std::span<float> head) {
  if (kind == TransformKind::identity) return;
  const std::size_t n = head.size();
  const std::size_t block = n & (~n + 1);  // the largest power of two that divides n
  for (std::size_t start = 0; start < n; start += block) hadamard(head.subspan(start, block));
}

void inverse_transform_head(TransformKind kind, std::span<float> head) {
  transform_head(kind, head);
}

}  // namespace kvsplit
