#pragma once

/// What the text of the kernels needs besides an instruction set's own header. Included before the
/// region in which code for that set is made: what standard headers define must stay code for every
/// processor.
#include <array>
#include <bit>
#include <cstring>

#include "base/cpu_features.h"
#include "kernels/attend.h"
#include "kernels/bit_planes.h"
#include "kernels/scale_code.h"
