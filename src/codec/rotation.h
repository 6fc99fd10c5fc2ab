#pragma once

#include <array>
#include <span>
#include <vector>

namespace kvsplit {

/// The host's rotary position embedding (RoPE, arXiv 2104.09864) of one layer, in what matters
/// here: by how much a step of one position turns each plane. Planes are the channels (i, i + n/2)
/// of a head's first n, or neighbours (2i, 2i + 1).
struct Rotation {
  bool neighbours = false;
  std::vector<float> angles;  ///< [n / 2] radians per position; empty: nothing turns

  bool operator==(const Rotation&) const = default;
};

/// What RoPE is told, as the host's operation has it (YaRN: arXiv 2309.00071).
struct RopeParameters {
  int n_dims = 0;
  bool neighbours = false;
  float freq_base = 0, freq_scale = 1, ext_factor = 0;
  /// Planes before these are left alone by YaRN, those behind are slowed down; in between it is a
  /// bit of both.
  float ramp_begin = 0, ramp_end = 0;
  const float* freq_factors = nullptr;  ///< [n_dims / 2] or null
};

Rotation rotation_of(const RopeParameters& rope);

/// A rotation by some positions, ready for use.
struct Turn {
  std::array<float, 128> cos, sin;
};

/// Position may be negative. Only the planes that there are are made.
Turn turn_of(const Rotation& rotation, int position);

/// Turns a head by the position; direction -1: back.
void turn_head(const Rotation& rotation, const Turn& turn, std::span<float> head,
               float direction = 1);

}  // namespace kvsplit
