#pragma once

#include <string>
#include <vector>

#include "codec/row_format.h"

namespace kvsplit::test {

struct NamedFormat {
  std::string name;
  RowFormat format;
};

/// Formats of rows of n_channels (a multiple of 64): every width uniform, with and without a
/// Hadamard, and groups as calibrated plans have them.
inline std::vector<NamedFormat> row_formats(int n_channels) {
  std::vector<NamedFormat> formats;
  for (const TransformKind transform : {TransformKind::identity, TransformKind::hadamard}) {
    const std::string suffix = transform == TransformKind::hadamard ? ", turned" : "";
    for (const int bits : {1, 2, 3, 4, 5, 6, 7, 8, 16}) {
      formats.push_back(
          {std::to_string(bits) + " bits" + suffix, uniform_format(n_channels, bits, transform)});
    }
    NamedFormat mixed{"mixed groups" + suffix, {{}, transform}};
    constexpr int widths[] = {8, 1, 5, 16, 3, 2, 7, 4, 6};
    for (int channel = 0; channel < n_channels; channel += group_channels) {
      mixed.format.group_bits.push_back(widths[channel / group_channels % std::size(widths)]);
    }
    formats.push_back(mixed);
  }
  return formats;
}

}  // namespace kvsplit::test
