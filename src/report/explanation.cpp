#include "report/explanation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "report/json.h"

namespace kvsplit::report {
namespace {

using measure::Explanation;
using Head = measure::HeadRecord;

/// A key of docs/results.md, and a column of the table.
struct Figure {
  const char *key, *title;
  double Head::*value;
};

constexpr std::array<Figure, 15> figures{
    {{"kl", "KL", &Head::kl},
     {"kl_unrotated", "rotate=0", &Head::kl_unrotated},
     {"kl_first_exact", "first exact", &Head::kl_first_exact},
     {"kl_bias_off", "bias off", &Head::kl_bias_off},
     {"entropy", "entropy", &Head::entropy},
     {"entropy_change", "change", &Head::entropy_change},
     {"first_share", "on first 4", &Head::first_share},
     {"first_share_quantised", "quantised", &Head::first_share_quantised},
     {"key_error", "output K", &Head::key_error},
     {"key_error_unrotated", "rotate=0", &Head::key_error_unrotated},
     {"value_error", "output V", &Head::value_error},
     {"value_error_unrotated", "rotate=0", &Head::value_error_unrotated},
     {"outlier", "outlier", &Head::outlier},
     {"bias", "bias", &Head::bias},
     {"first_norm", "first norm", &Head::first_norm}}};

Json heads_of(std::span<const Head> heads) {
  Json list = Json::array();
  for (const Head& head : heads) {
    Json& json = list.emplace_back(Json{{"layer", head.layer}, {"kv_head", head.kv_head}});
    for (const Figure& figure : figures) json[figure.key] = head.*figure.value;
  }
  return list;
}

/// The mean of each layer's heads.
std::vector<Head> layers_of(const Explanation& found) {
  std::vector<Head> layers;
  for (const Head& head : found.heads) {
    const auto n_heads = std::ranges::count(found.heads, head.layer, &Head::layer);
    if (layers.empty() || layers.back().layer != head.layer) layers.push_back({head.layer});
    for (const auto& [key, title, value] : figures) {
      layers.back().*value += head.*value / static_cast<double>(n_heads);
    }
  }
  return layers;
}

Table layer_table(std::span<const Head> layers) {
  Table table{{"layer"}};
  for (const Figure& figure : figures) table.titles.emplace_back(figure.title);
  for (const Head& layer : layers) {
    auto& row = table.rows.emplace_back(1, std::to_string(layer.layer));
    for (const Figure& figure : figures) row.push_back(significant(layer.*figure.value));
  }
  return table;
}

/// What takes most of a layer's divergence away where it is dealt with, if that is half of it.
std::string cause(const Head& layer) {
  const auto [left, what] = std::min<std::pair<double, const char*>>(
      {{layer.kl_first_exact / layer.kl, "the first tokens"},
       {layer.kl_bias_off / layer.kl, "a bias"},
       {layer.kl_unrotated / layer.kl, "rotation, which spreads what few channels have"},
       {layer.kl / layer.kl_unrotated, "outlier channels, which rotation spreads"}});
  return left < 0.5 ? what : "no single cause";
}

/// Which of the two caches from number `first` on costs more, that with few bits of keys or the
/// other.
std::string comparison(const Explanation& found, std::size_t first) {
  const double k = found.caches[first].kl_mean.value_or(0);
  const double v = found.caches[first + 1].kl_mean.value_or(0);
  return fmt::format("{} cost {:.1f} times as much (KL of keys {}, of values {})",
                     k < v ? "values" : "keys", std::max(k, v) / std::max(std::min(k, v), 1e-9),
                     significant(k), significant(v));
}

}  // namespace

std::string verdict(const Explanation& found) {
  std::vector<Head> layers = layers_of(found);
  const auto n_layers = std::ssize(layers);
  const auto n_of_values = std::ranges::count_if(
      layers, [](const Head& layer) { return layer.value_error > layer.key_error; });
  std::ranges::sort(layers, std::greater(), &Head::kl);
  std::string worst;
  for (const Head& layer : std::span(layers).first(std::min<std::size_t>(layers.size(), 3))) {
    worst += fmt::format("{} {} (KL {}: {})", worst.empty() ? "" : ",", layer.layer,
                         significant(layer.kl), cause(layer));
  }
  return fmt::format(
      "With {} bits {}; without rotation {}; with first and last tokens in 8 bits {}.\n"
      "In {} of {} layers quantised values change the output of attention more than keys do.\n"
      "Quantised keys disturb attention most in layers{}.\n",
      found.bits, comparison(found, 3), comparison(found, 1), comparison(found, 7), n_of_values,
      n_layers, worst);
}

std::string text(const Explanation& found) {
  return fmt::format("{}\n{}\n{}", layer_table(layers_of(found)).text(), table(found.caches).text(),
                     verdict(found));
}

std::string json(const Explanation& found) {
  const Json json{{"bits", found.bits},
                  {"heads", heads_of(found.heads)},
                  {"caches", as_json(found.caches)},
                  {"verdict", verdict(found)}};
  return json.dump(2) + "\n";
}

void check_explained(const std::string& where, const Json& found) {
  const Json list = Json::array();
  check(where, found, {{"bits", 0}, {"heads", list}, {"caches", list}, {"verdict", ""}});
  const std::array nothing{Head()};
  check_list(where + ": heads", found["heads"], heads_of(nothing)[0]);
  check_records(where + ": caches", found["caches"]);
}

std::string csv(const Explanation& found) {
  const std::array nothing{Head()};
  return csv(heads_of(found.heads), heads_of(nothing)[0]);
}

}  // namespace kvsplit::report
