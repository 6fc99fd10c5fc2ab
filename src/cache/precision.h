#pragma once

#include <string>
#include <string_view>

namespace kvsplit {

/// How many bits a number of K and of V has, and how rows are prepared. What a user writes as
/// "K8V4", "8" (both sides), "FP16", with settings behind colons: "K4V4:sinks=4:window=28".
struct Precision {
  int k_bits = 8;         ///< 2, 3, 4, 5, 6, 8 or 16
  int v_bits = 4;         ///< likewise
  bool rotate = true;     ///< Hadamard rotation of the heads of sides with fewer than 16 bits
  int sinks = 0;          ///< first cells of a stream that are kept in 16 bits as well
  int window = 0;         ///< and last ones; at most 64 together
  std::string plan = {};  ///< file of a calibrated plan; "": none

  bool operator==(const Precision&) const = default;
};

/// Error: not of the form above, or a width that there is no codec for; the message lists them.
Precision parse_precision(std::string_view text);

/// "FP16" for 16/16, otherwise "K8V4", with settings that are not the default: "K4V4:window=28".
std::string to_string(const Precision&);

}  // namespace kvsplit
