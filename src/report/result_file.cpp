#include "report/result_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "base/error.h"
#include "base/system.h"
#include "report/json.h"

/// null where nothing was measured.
template <class Value>
struct nlohmann::adl_serializer<std::optional<Value>> {
  static void to_json(auto& json, const std::optional<Value>& value) {
    if (value) json = *value;
  }
};

namespace kvsplit::report {
namespace {

using measure::CacheRecord;
using measure::Rate;

/// Keys named like the fields of `nlohmann_json_t`, in the order given. nlohmann's documented
/// macro around these two only makes objects that sort their keys.
#define KVSPLIT_ADD_FIELDS(...) \
  NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(NLOHMANN_JSON_TO, __VA_ARGS__))

void add_rate(Json& json, const std::string& name, const std::optional<Rate>& rate) {
  const auto add = [&](const char* ending, double Rate::*member) {
    json[name + ending] = rate ? Json((*rate).*member) : Json();
  };
  add("_tps", &Rate::median);
  add("_tps_min", &Rate::min);
  add("_tps_max", &Rate::max);
  add("_ratio", &Rate::ratio);
}

void add_setting(Json& nlohmann_json_j, const measure::Setting& nlohmann_json_t) {
  KVSPLIT_ADD_FIELDS(model, threads, cpu, kernels, kvsplit, llama_cpp, ggml, date);
}

/// All keys, in the order in which they are written. docs/results.md explains each.
Json as_json(const CacheRecord& nlohmann_json_t) {
  Json nlohmann_json_j;
  KVSPLIT_ADD_FIELDS(cache, engine, device, k_bits, v_bits, k_bits_all_in, v_bits_all_in, context,
                     kv_bytes, kv_context, ppl, ppl_change_percent, kl_mean, kl_stderr,
                     same_top_percent, scored_tokens);
  add_rate(nlohmann_json_j, "prompt", nlohmann_json_t.prompt);
  add_rate(nlohmann_json_j, "decode", nlohmann_json_t.decode);
  KVSPLIT_ADD_FIELDS(depth, prompt_tokens, decode_tokens, speed_rounds, peak_rss_bytes);
  add_setting(nlohmann_json_j, nlohmann_json_t.setting);
  return nlohmann_json_j;
}

/// RFC 4180: quoted where a comma, a quote or a line break would be misread.
std::string csv_cell(const Json& value) {
  if (value.is_null()) return "";
  if (!value.is_string()) return value.dump();
  auto text = value.get<std::string>();
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

std::string csv_line(const Json& cells) {
  std::string line;
  for (const Json& cell : cells) line += (line.empty() ? "" : ",") + csv_cell(cell);
  return line + "\n";
}

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> names;
  for (const auto& item : object.items()) names.push_back(item.key());
  return names;
}

void save(const std::string& file, const std::string& content) {
  if (!replace_file(file, content)) throw Error(fmt::format("-o {}: cannot be written", file));
}

}  // namespace

Json as_json(Records records) {
  Json list = Json::array();
  for (const CacheRecord& record : records) list.push_back(as_json(record));
  return list;
}

void check_records(const std::string& where, const Json& found) {
  check_list(where, found, as_json(CacheRecord()));
}

std::string json(Records records) { return as_json(records).dump(2) + "\n"; }

std::string csv(const Json& list, const Json& nothing) {
  std::string text = csv_line(Json(keys_of(nothing)));
  for (const Json& cells : list) text += csv_line(cells);
  return text;
}

std::string csv(Records records) { return csv(as_json(records), as_json(CacheRecord())); }

void check_file_name(const std::string& file) {
  for (const std::string ending : {".json", ".csv", ".md"}) {
    if (file.ends_with(ending) && file != ending) return;
  }
  throw Error(fmt::format("-o {}: expected a name that ends in .json, .csv or .md", file));
}

void write(const std::string& file, const std::string& json, const std::string& csv,
           const std::string& markdown) {
  check_file_name(file);
  save(file, file.ends_with(".md") ? markdown : file.ends_with(".json") ? json : csv);
}

struct ResultFile::Content {
  Json list = Json::array();
};

ResultFile::ResultFile(std::string file)
    : file_(std::move(file)), content_(std::make_unique<Content>()) {
  if (!std::ifstream(file_)) return;
  try {
    content_->list = read_json(file_);
    check_records(file_, content_->list);
  } catch (const Error& error) {
    throw Error(fmt::format("{}; move it away to begin anew", error.what()));
  }
}

ResultFile::~ResultFile() = default;

bool ResultFile::has(const CacheRecord& record) const {
  const Json wanted = as_json(record);
  return std::ranges::any_of(content_->list, [&](const Json& known) {
    return std::ranges::all_of(std::array{"cache", "engine", "device", "context", "model",
                                          "threads", "cpu", "kernels", "kvsplit", "llama_cpp"},
                               [&](const char* key) { return known[key] == wanted[key]; });
  });
}

void ResultFile::add(const CacheRecord& record) {
  content_->list.push_back(as_json(record));
  save(file_, content_->list.dump(2) + "\n");
}

void ResultFile::write_csv(const std::string& file) const {
  save(file, csv(content_->list, as_json(CacheRecord())));
}

}  // namespace kvsplit::report
