#include "host/cache_choice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <vector>

#include "base/error.h"

namespace kvsplit::host {
namespace {

// What llama.cpp's -ctk and -ctv take. Names and numbers come from ggml, so that they cannot drift.
constexpr std::array cache_types = {GGML_TYPE_F32,    GGML_TYPE_F16,  GGML_TYPE_BF16,
                                    GGML_TYPE_Q8_0,   GGML_TYPE_Q4_0, GGML_TYPE_Q4_1,
                                    GGML_TYPE_IQ4_NL, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1};

/// Bits of the codes alone: the first number in the type's name.
int bits_of(ggml_type type) {
  const std::string name = ggml_type_name(type);
  const std::size_t first = name.find_first_of("0123456789");
  return first == std::string::npos ? 0 : std::stoi(name.substr(first));
}

ggml_type parse_type(std::string_view name) {
  std::vector<std::string> names;
  for (const ggml_type type : cache_types) {
    names.emplace_back(ggml_type_name(type));
    if (names.back() == name) return type;
  }
  throw Error(fmt::format("cache type '{}': llama.cpp has {}; write for example q8_0/q4_0", name,
                          fmt::join(names, ", ")));
}

}  // namespace

std::string CacheChoice::name() const {
  if (is_packed) return to_string(precision);
  return fmt::format("{}/{}", ggml_type_name(k_type), ggml_type_name(v_type));
}

int CacheChoice::k_bits() const { return is_packed ? precision.k_bits : bits_of(k_type); }

int CacheChoice::v_bits() const { return is_packed ? precision.v_bits : bits_of(v_type); }

CacheChoice kvsplit_cache(const Precision& precision) { return {.precision = precision}; }

CacheChoice parse_stock_cache(std::string_view text) {
  const std::size_t slash = text.find('/');
  CacheChoice choice{.is_packed = false, .k_type = parse_type(text.substr(0, slash))};
  const bool is_one = slash == std::string_view::npos;
  choice.v_type = is_one ? choice.k_type : parse_type(text.substr(slash + 1));
  return choice;
}

}  // namespace kvsplit::host
