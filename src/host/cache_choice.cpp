#include "host/cache_choice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ggml.h>

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
int bits_of(const std::string& type) {
  const std::size_t first = type.find_first_of("0123456789");
  return first == std::string::npos ? 0 : std::stoi(type.substr(first));
}

}  // namespace

std::string_view to_string(Engine engine) {
  return engine == Engine::kvsplit ? "kvsplit" : "stock";
}

std::string CacheChoice::name() const {
  return engine == Engine::kvsplit ? kvsplit::to_string(precision) : k_type + "/" + v_type;
}

int CacheChoice::k_bits() const {
  return engine == Engine::kvsplit ? precision.k_bits : bits_of(k_type);
}

int CacheChoice::v_bits() const {
  return engine == Engine::kvsplit ? precision.v_bits : bits_of(v_type);
}

CacheChoice kvsplit_cache(const Precision& precision) {
  CacheChoice choice;
  choice.precision = precision;
  return choice;
}

CacheChoice parse_stock_cache(std::string_view text) {
  const std::size_t slash = text.find('/');
  CacheChoice choice;
  choice.engine = Engine::stock;
  choice.k_type = text.substr(0, slash);
  choice.v_type = slash == std::string_view::npos ? choice.k_type : text.substr(slash + 1);
  cache_type(choice.k_type);
  cache_type(choice.v_type);
  return choice;
}

int cache_type(const std::string& name) {
  std::vector<std::string> names;
  for (const ggml_type type : cache_types) {
    names.emplace_back(ggml_type_name(type));
    if (names.back() == name) return type;
  }
  throw Error(fmt::format("cache type '{}': llama.cpp has {}; write for example q8_0/q4_0", name,
                          fmt::join(names, ", ")));
}

}  // namespace kvsplit::host
