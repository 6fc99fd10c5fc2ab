#include "report/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <utility>

namespace kvsplit::report {
namespace {

using Strings = std::vector<std::string>;

constexpr const char* loss = "KL divergence, nats";

std::string text(const Json& record, const char* key) { return record[key].get<std::string>(); }

std::string model_of(const Json& record) {
  const std::string file = text(record, "model");
  return file.substr(0, file.find(".gguf"));
}

/// Nothing where there is no number. What was measured twice counts as measured last.
void add(Chart& chart, const std::string& series, int look, const Json& x, const Json& y,
         const Json& least = {}, const Json& most = {}) {
  if (y.is_null() || (x.is_null() && !chart.x.empty())) return;
  const double place = x.is_null() ? 0 : x.get<double>();
  std::erase_if(chart.points, [&](const Point& p) { return p.look == look && p.x == place; });
  chart.points.push_back(
      {series, look, place, y, least.is_null() ? y : least, most.is_null() ? y : most});
}

std::vector<Chart> cache_charts(const Json& records) {
  const std::string at = "tokens in the cache";
  const char* const good = "Left and low is good. A loss of 0 has no place here.";
  Chart memory{"memory", "lines", "Memory by context", "cache", "tokens of context", "MiB", ""};
  Chart prompt{"prompt", "lines", "Speed of prompts", "cache", at, "prompt tokens/s", ""};
  Chart decode{"decode", "lines", "Speed of single tokens", "cache", at, "decoded tokens/s", ""};
  Chart change{"perplexity",          "lines", "Change of perplexity", "cache", "",
               "% against the first", ""};
  Chart pareto{"pareto", "points", "Memory against loss", "cache", "MiB / 1,000 tokens",
               loss,     good};
  std::set<std::string> models;
  for (const Json& record : records) models.insert(model_of(record));
  Strings known;  // the place of a cache's name is its look
  Json usual;     // Speeds can be compared where pieces are as long: as those that come first.
  for (const Json& record : records) {
    const std::string label = text(record, "cache") +
                              (record["engine"] == "stock" ? " (llama.cpp)" : "") +
                              (models.size() > 1 ? ", " + model_of(record) : "");
    const int look = static_cast<int>(std::ranges::find(known, label) - known.begin());
    if (look == std::ssize(known)) known.push_back(label);
    const Json& tokens = record["kv_context"];
    if (!record["kv_bytes"].is_null() && tokens > 0) {
      const double size = record["kv_bytes"].get<double>() / (1 << 20);
      add(memory, label, look, tokens, size);
      // Of a suite's lengths the last, where rows in 8 bits weigh least.
      if (!record["kl_mean"].is_null())
        std::erase_if(pareto.points, [&](const Point& p) { return p.look == look; });
      add(pareto, label, look, size / tokens.get<double>() * 1000, record["kl_mean"]);
    }
    add(change, label, look, {}, record["ppl_change_percent"]);
    const Json pieces = {record["prompt_tokens"], record["decode_tokens"]};
    if (usual.is_null() && !record["depth"].is_null()) usual = pieces;
    if (pieces != usual) continue;
    add(prompt, label, look, record["depth"], record["prompt_tps"], record["prompt_tps_min"],
        record["prompt_tps_max"]);
    add(decode, label, look, record["depth"], record["decode_tps"], record["decode_tps_min"],
        record["decode_tps_max"]);
  }
  return {memory, prompt, decode, change, pareto};
}

/// The first of a kind keeps the name alone.
std::string numbered(const std::string& name, std::size_t n_before) {
  return n_before == 0 ? name : fmt::format("{}-{}", name, n_before + 1);
}

/// Two widths of each side at least, and four pairs of them.
bool is_grid(const Chart& chart) {
  std::set<double> k_bits, v_bits;
  for (const Point& point : chart.points) k_bits.insert(point.look), v_bits.insert(point.x);
  return k_bits.size() > 1 && v_bits.size() > 1 && chart.points.size() > 3;
}

/// For each model kvsplit's caches that are nothing but a precision. Losses can be compared where
/// windows are as long: the longest that a grid is known of.
void add_grids(const Json& records, std::vector<Chart>& charts) {
  std::map<std::pair<std::string, double>, Chart> grids;
  for (const Json& record : records) {
    const bool has_settings = text(record, "cache").find(':') != std::string::npos;
    if (record["engine"] != "kvsplit" || has_settings || record["context"].is_null()) continue;
    const int k_bits = record["k_bits"];
    Chart& grid = grids[{model_of(record), record["context"]}];
    add(grid, std::to_string(k_bits), k_bits, record["v_bits"], record["kl_mean"]);
  }
  std::map<std::string, Chart> longest;
  for (const auto& [key, grid] : grids) {
    if (!is_grid(grid)) continue;
    const auto& [model, context] = key;
    const std::string name = numbered("sensitivity", longest.size() - longest.count(model));
    const std::string note = fmt::format("{}, windows of {} tokens. The darker, the more is lost.",
                                         model, number(context));
    longest[model] = {name,           "grid",           "Loss by bits of keys and values",
                      "bits of keys", "bits of values", loss,
                      note,           grid.points};
  }
  for (const auto& [model, grid] : longest) charts.push_back(grid);
}

/// The mean of its heads, of each layer.
std::map<int, std::map<std::string, double>> layers_of(const Json& heads) {
  std::map<int, std::map<std::string, double>> layers;
  std::map<int, int> n_heads;
  for (const Json& head : heads) {
    const int layer = head["layer"], n_heads_by_now = ++n_heads[layer];
    for (const auto& [key, value] : head.items()) {
      double& mean = layers[layer][key];
      mean += (value.get<double>() - mean) / n_heads_by_now;
    }
  }
  return layers;
}

void add_layers(const Json& explained, std::vector<Chart>& charts) {
  Chart ratio{"output", "points", "Errors of keys and of values",
              "model",  "layer",  "error by keys / by values",
              ""};
  for (std::size_t i = 0; i < explained.size(); ++i) {
    const std::string model = model_of(explained[i]["caches"][0]), x = "layer of " + model;
    const std::string bits = explained[i]["bits"].dump();
    const std::string keys_title = fmt::format("What {}-bit keys do to attention", bits);
    const std::string both_title = fmt::format("What {} bits do to attention's output", bits);
    Chart attention{
        numbered("attention", i),     "lines", keys_title, "keys", x, "KL of attention, nats",
        text(explained[i], "verdict")};
    Chart errors{numbered("errors", i),        "lines", both_title, "quantised", x,
                 "error / size of the output", ""};
    for (const auto& [layer, mean] : layers_of(explained[i]["heads"])) {
      add(attention, "without rotation", 0, layer, mean.at("kl_unrotated"));
      add(attention, "rotated", 1, layer, mean.at("kl"));
      add(attention, "rotated, first 4 tokens exact", 2, layer, mean.at("kl_first_exact"));
      add(attention, "rotated, mean key taken off", 3, layer, mean.at("kl_bias_off"));
      const double keys = mean.at("key_error"), values = mean.at("value_error");
      add(errors, "keys", 0, layer, keys);
      add(errors, "values", 1, layer, values);
      const Json times = values > 0 ? Json(keys / values) : Json();
      add(ratio, fmt::format("{}, {} bits", model, bits), static_cast<int>(i), layer, times);
    }
    charts.insert(charts.end(), {attention, errors});
  }
  if (explained.size() > 1) charts.push_back(ratio);
}

/// Nothing in it but quotes and backslashes would have a meaning in a data file of gnuplot's.
std::string quoted(std::string text) {
  for (char& c : text) {
    if (c == '"') c = '\'';
    if (c == '\\') c = '/';
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return '"' + text + '"';
}

}  // namespace

std::vector<Chart> charts_of(const Results& results) {
  std::vector<Chart> charts = cache_charts(results.records);
  add_grids(results.all_records(), charts);
  add_layers(results.explained, charts);
  for (Chart& chart : charts) {
    const bool is_logarithmic = chart.kind == "points";
    std::erase_if(chart.points, [&](const Point& p) { return is_logarithmic && p.y <= 0; });
    std::ranges::sort(chart.points, {}, [](const Point& p) { return std::pair(p.look, p.x); });
  }
  std::erase_if(charts, [](const Chart& chart) { return chart.points.empty(); });
  return charts;
}

std::string drawing(const Chart& chart) {
  std::string text, last;
  for (const auto& [series, look, x, y, least, most] : chart.points) {
    const std::string name = quoted(series);
    if (name != last) text += (text.empty() ? "" : "\n\n") + name + "\n";
    text += fmt::format("{} {} {} {} \"{}\" {} {}\n", x, y, least, most, number(y), look, name);
    last = name;
  }
  return text;
}

std::string number(double value) {
  const bool is_whole = value >= 0 && value < 1e15 && (value >= 1000 || value == std::floor(value));
  return is_whole ? grouped(std::llround(value)) : fmt::format("{:.3g}", value);
}

Table table(const Chart& chart) {
  Table table{{chart.of, chart.x, chart.y, "least", "most"}};
  for (const auto& [series, look, x, y, least, most] : chart.points) {
    const bool is_spread = least < most;
    table.rows.push_back({series, chart.x.empty() ? "" : number(x), number(y),
                          is_spread ? number(least) : "", is_spread ? number(most) : ""});
  }
  return table;
}

}  // namespace kvsplit::report
