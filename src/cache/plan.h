#pragma once

#include "cache/precision.h"
#include "codec/row_format.h"

namespace kvsplit {

/// The format of the rows of `layer`'s keys or values, `n_channels` numbers wide (all KV heads).
/// All layers are alike but where the precision names a calibrated plan, whose file then answers.
/// `host_rotates`: the host turns rows by a Hadamard itself before we see them (llama.cpp does
/// where the nominal cache type is quantised); turning twice would undo it, so we do not.
RowFormat plan_format(const Precision& precision, int layer, Side side, int n_channels,
                      bool host_rotates);

}  // namespace kvsplit
