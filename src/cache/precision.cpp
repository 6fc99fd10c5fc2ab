#include "cache/precision.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.h"
#include "codec/row_format.h"

namespace kvsplit {
namespace {

constexpr std::array widths{2, 3, 4, 5, 6, 8, 16};
constexpr int most_exact_rows = 64;  // one step of attention
constexpr auto exact_rows_wanted =
    "sinks and window are numbers of rows, 5 * sinks + window at most 64";

[[noreturn]] void refuse(std::string_view text, const std::string& reason) {
  throw Error("precision \"" + std::string(text) + "\": " + reason +
              "; write K8V4 (bits of keys and of values), 8 (both), FP16 or auto");
}

// Takes a whole number off the front of `rest`. -1: there is none, or no int holds it.
int take_number(std::string_view& rest) {
  int number = -1;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  return number;
}

int take_width(std::string_view& rest, std::string_view text) {
  const int bits = take_number(rest);
  if (bits < 0) refuse(text, "not a number of bits");
  if (std::ranges::find(widths, bits) == widths.end()) {
    refuse(text,
           "no codec of " + std::to_string(bits) + " bits, there are 2, 3, 4, 5, 6, 8 and 16");
  }
  return bits;
}

bool take_letter(std::string_view& rest, char letter) {
  if (rest.empty() || (rest[0] | 0x20) != letter) return false;
  rest.remove_prefix(1);
  return true;
}

// Reads "K8V4", "8", "FP16" or "16" off the front of `rest`.
void parse_widths(std::string_view& rest, std::string_view text, Precision& precision) {
  if (take_letter(rest, 'k')) {
    precision.k_bits = take_width(rest, text);
    if (!take_letter(rest, 'v')) refuse(text, "V and its bits expected after K's");
    precision.v_bits = take_width(rest, text);
    return;
  }
  const bool floating = take_letter(rest, 'f');
  if (floating) take_letter(rest, 'p');
  const int bits = take_width(rest, text);
  if (floating && bits != 16) refuse(text, "floating point has 16 bits here");
  precision.k_bits = precision.v_bits = bits;
}

// "2-27", or "5" alone.
void parse_layers(std::string_view layers, std::string_view text, Precision& precision) {
  precision.first_layer = precision.last_layer = take_number(layers);
  if (layers.starts_with('-')) {
    layers.remove_prefix(1);
    precision.last_layer = take_number(layers);
  }
  if (precision.first_layer < 0 || precision.last_layer < precision.first_layer ||
      !layers.empty()) {
    refuse(text, "layers is one layer or a range like 2-27, the first is 0");
  }
}

void parse_setting(std::string_view setting, std::string_view text, Precision& precision) {
  if (setting == "rotate=0" || setting == "rotate=1") {
    precision.rotate = setting.back() == '1';
    return;
  }
  if (setting.starts_with("layers=")) return parse_layers(setting.substr(7), text, precision);
  if (setting.starts_with("plan=")) {
    precision.plan = setting.substr(5);
    return;
  }
  for (const auto& [name, number] :
       {std::pair("sinks=", &precision.sinks), std::pair("window=", &precision.window)}) {
    if (!setting.starts_with(name)) continue;
    setting.remove_prefix(std::string_view(name).size());
    *number = take_number(setting);
    if (*number < 0 || !setting.empty()) refuse(text, exact_rows_wanted);
    return;
  }
  refuse(
      text,
      "unknown setting \"" + std::string(setting) +
          "\", there are rotate=0 or 1, sinks=N, window=N, layers=N or N-N, and plan=FILE or auto");
}

}  // namespace

Precision parse_precision(std::string_view text) {
  Precision precision;
  std::string_view rest = text == "auto" ? "K4V4:plan=auto" : text;
  parse_widths(rest, text, precision);
  while (!rest.empty()) {
    if (rest[0] != ':') refuse(text, "\"" + std::string(rest) + "\" not understood");
    rest.remove_prefix(1);
    const std::size_t end = std::min(rest.find(':'), rest.size());
    parse_setting(rest.substr(0, end), text, precision);
    rest.remove_prefix(end);
  }
  if (precision.sinks > (most_exact_rows - precision.window) / texts_with_sinks)
    refuse(text, exact_rows_wanted);
  return precision;
}

bool has_exact_rows(const Precision& precision) {
  const auto [least, most] = std::minmax(precision.k_bits, precision.v_bits);
  return least <= most_inexact_bits && most < 16 && precision.sinks + precision.window > 0;
}

std::string to_string(const Precision& precision) {
  const bool fp16 = precision.k_bits == 16 && precision.v_bits == 16;
  std::string text =
      fp16 ? "FP16"
           : "K" + std::to_string(precision.k_bits) + "V" + std::to_string(precision.v_bits);
  if (!precision.rotate) text += ":rotate=0";
  const Precision usual;
  if (precision.sinks != usual.sinks) text += ":sinks=" + std::to_string(precision.sinks);
  if (precision.window != usual.window) text += ":window=" + std::to_string(precision.window);
  if (precision.first_layer != usual.first_layer || precision.last_layer != usual.last_layer) {
    text += ":layers=" + std::to_string(precision.first_layer);
    if (precision.last_layer != precision.first_layer) {
      text += "-" + std::to_string(precision.last_layer);
    }
  }
  if (!precision.plan.empty()) text += ":plan=" + precision.plan;
  return text;
}

}  // namespace kvsplit
