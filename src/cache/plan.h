#pragma once

#include <utility>

#include "cache/precision.h"
#include "codec/row_format.h"

namespace kvsplit {

/// Gives every layer and side its format. Today all layers are alike (a uniform plan of one
/// Precision); a calibrated plan answers the same question from its file.
class Plan {
 public:
  explicit Plan(Precision precision) : precision_(std::move(precision)) {}

  /// Format of the rows of `layer`'s keys or values, `n_channels` numbers wide (all KV heads).
  /// `host_rotates`: the host turns rows by a Hadamard itself before we see them (llama.cpp does
  /// where the nominal cache type is quantised); turning twice would undo it, so we do not.
  RowFormat format(int layer, Side side, int n_channels, bool host_rotates) const;

  const Precision& precision() const { return precision_; }

 private:
  Precision precision_;
};

}  // namespace kvsplit
