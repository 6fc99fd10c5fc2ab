#pragma once

#include <string>
#include <string_view>

namespace kvsplit {

/// How many bits a number of K and of V has, and how rows are prepared. What a user writes as
/// "K8V4", "8" (both sides), "FP16", with settings behind colons: "K4V4:sinks=0:window=60",
/// "K4V4:layers=2-27".
struct Precision {
  int k_bits = 8;         ///< 2, 3, 4, 5, 6, 8 or 16
  int v_bits = 4;         ///< likewise
  bool rotate = true;     ///< Hadamard rotation of the heads of sides with fewer than 16 bits
  int sinks = 4;          ///< first tokens of a text that are kept in 8 bits as well
  int window = 28;        ///< and last ones of a stream; 5 · sinks + window <= 64
  std::string plan = {};  ///< file of a calibrated plan; "": none; "auto": that of the model
  int first_layer = 0;    ///< of those that are packed; the others stay in 16 bits
  int last_layer = 9999;

  bool operator==(const Precision&) const = default;
};

/// Rows of more bits gain nothing from being kept in 8 bits as well.
inline constexpr int most_inexact_bits = 6;
/// Whether rows are: both sides are packed, and one has few enough bits.
bool has_exact_rows(const Precision&);

/// Also "auto", K4V4 with the model's plan. Error: not of the form above, or a width that there is
/// no codec for; the message lists them.
Precision parse_precision(std::string_view text);

/// "FP16" for 16/16, otherwise "K8V4", with settings that are not the default: "K4V4:window=60".
std::string to_string(const Precision&);

}  // namespace kvsplit
