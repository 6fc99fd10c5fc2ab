#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cache/precision.h"
#include "codec/head_map.h"
#include "codec/row_format.h"

// A calibrated plan's file, little endian:
//
//   file    [ "kvplan2\n" | u64 model | u32 tuned | u32 n | how it was made[n] | u32 n_layers |
//             layers … | u64 FNV-1a of all before ]
//   layer   [ keys | values ]
//   side    [ u32 n_heads | u32 head_dim | u32 frame_cells | u32 windowed | u32 n_planes |
//             u32 neighbours | f32 angles[n_planes] | heads … ]
//                                                             0 heads: the layer has no calibration
//   head    [ f32 mean[head_dim] | with frames f32 base[head_dim] and Bᵀ[16, head_dim] |
//             f32 variance[head_dim / 16] | f16 T[head_dim, head_dim] ]
//
// T is HeadMap's `into`; its inverse is computed when the file is read. Variances are those of the
// 16 numbers of a group in that space, in falling order; bits are given to groups by them, for
// whatever precision is asked for, so that one plan serves all. In a tuned plan they are losses of
// all layers and both sides in one unit (tune/tune.h), and all groups share one budget.
namespace kvsplit {

struct PlannedSide {
  int head_dim = 0;
  int frame_cells = 0;
  bool windowed = false;  ///< a sliding window: its cache does not grow with the context
  Rotation rotation;      ///< of keys
  std::vector<PlannedHead> heads;
};

struct PlannedLayer {
  PlannedSide keys, values;
};

/// What a plan is for and from.
struct PlanOrigin {
  std::uint64_t model = 0;  ///< host::WeightFile::fingerprint()
  std::string made;         ///< in words
  bool tuned = false;       ///< errors of all layers and sides have one unit
};

/// Bits of the sides, 16: not packed, which budgets come from.
struct Budget {
  int k_bits = 4, v_bits = 4;
  bool whole_scales = false;

  int bits(Side side) const { return side == Side::key ? k_bits : v_bits; }
};

void write_plan(const std::string& file, const PlanOrigin& origin,
                std::span<const PlannedLayer> layers);

/// Makes what a file says of one side of a layer ready for use.
std::shared_ptr<const HeadMaps> make_maps(const PlannedSide& side, std::uint64_t fingerprint);

/// A plan as read, with maps ready for use.
class CalibratedPlan {
 public:
  /// Error: no such file, not a plan, or damaged.
  explicit CalibratedPlan(const std::string& file);

  const PlanOrigin& origin() const { return origin_; }

  /// Format of a layer's rows with its side's bits + 0.5 bits a number. Keys share a budget over
  /// all layers and heads, those with and without sliding windows apart; values have one for each
  /// head; in a tuned plan both sides share theirs.
  /// None where the plan has none for this layer. Error: it has other shapes.
  std::optional<RowFormat> format(int layer, Side side, int n_channels, const Budget& budget) const;

  /// As they were written.
  std::vector<PlannedLayer> layers() const;

 private:
  std::vector<int> shares(const HeadMaps& maps, Side side, const Budget& budget) const;

  std::string file_;
  PlanOrigin origin_;
  std::vector<std::shared_ptr<const HeadMaps>> keys_, values_;  ///< [n_layers]
};

/// Squared error of rows of a calibrated format, in the unit of its variances.
double expected_error(const RowFormat& format);

/// The plan of a file, read once.
std::shared_ptr<const CalibratedPlan> open_plan(const std::string& file);

/// The format of the rows of `layer`'s keys or values, `n_channels` numbers wide (all KV heads).
/// All layers are alike but where the precision names a calibrated plan, whose file then answers.
/// `host_rotates`: the host turns rows by a Hadamard itself before we see them (llama.cpp does
/// where the nominal cache type is quantised); turning twice would undo it, so we do not.
RowFormat plan_format(Precision precision, int layer, Side side, int n_channels, bool host_rotates);

}  // namespace kvsplit
