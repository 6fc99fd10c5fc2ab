#include "report/fields.h"

#include <optional>

namespace kvsplit::report {
namespace {

using measure::CacheRecord;
using measure::Rate;
using measure::Setting;

template <class Value>
Json as_json(const Value& value) {
  return value;
}

template <class Value>
Json as_json(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

template <auto Member>
Json member(const CacheRecord& record) {
  return as_json(record.*Member);
}

template <auto Side, auto Member>
Json of_rate(const CacheRecord& record) {
  const std::optional<Rate>& rate = record.*Side;
  return rate ? Json((*rate).*Member) : Json(nullptr);
}

template <auto Member>
Json of_setting(const CacheRecord& record) {
  return as_json(record.setting.*Member);
}

constexpr Field all_fields[] = {
    {"cache", member<&CacheRecord::cache>},
    {"engine", member<&CacheRecord::engine>},
    {"device", member<&CacheRecord::device>},
    {"k_bits", member<&CacheRecord::k_bits>},
    {"v_bits", member<&CacheRecord::v_bits>},
    {"k_bits_all_in", member<&CacheRecord::k_bits_all_in>},
    {"v_bits_all_in", member<&CacheRecord::v_bits_all_in>},
    {"context", member<&CacheRecord::context>},
    {"kv_bytes", member<&CacheRecord::kv_bytes>},
    {"kv_context", member<&CacheRecord::kv_context>},
    {"ppl", member<&CacheRecord::ppl>},
    {"ppl_change_percent", member<&CacheRecord::ppl_change_percent>},
    {"kl_mean", member<&CacheRecord::kl_mean>},
    {"kl_stderr", member<&CacheRecord::kl_stderr>},
    {"same_top_percent", member<&CacheRecord::same_top_percent>},
    {"scored_tokens", member<&CacheRecord::scored_tokens>},
    {"prompt_tps", of_rate<&CacheRecord::prompt, &Rate::median>},
    {"prompt_tps_min", of_rate<&CacheRecord::prompt, &Rate::min>},
    {"prompt_tps_max", of_rate<&CacheRecord::prompt, &Rate::max>},
    {"prompt_ratio", of_rate<&CacheRecord::prompt, &Rate::ratio>},
    {"decode_tps", of_rate<&CacheRecord::decode, &Rate::median>},
    {"decode_tps_min", of_rate<&CacheRecord::decode, &Rate::min>},
    {"decode_tps_max", of_rate<&CacheRecord::decode, &Rate::max>},
    {"decode_ratio", of_rate<&CacheRecord::decode, &Rate::ratio>},
    {"depth", member<&CacheRecord::depth>},
    {"prompt_tokens", member<&CacheRecord::prompt_tokens>},
    {"decode_tokens", member<&CacheRecord::decode_tokens>},
    {"speed_rounds", member<&CacheRecord::speed_rounds>},
    {"peak_rss_bytes", member<&CacheRecord::peak_rss_bytes>},
    {"model", of_setting<&Setting::model>},
    {"threads", of_setting<&Setting::threads>},
    {"cpu", of_setting<&Setting::cpu>},
    {"kernels", of_setting<&Setting::kernels>},
    {"kvsplit", of_setting<&Setting::kvsplit>},
    {"llama_cpp", of_setting<&Setting::llama_cpp>},
    {"ggml", of_setting<&Setting::ggml>},
    {"date", of_setting<&Setting::date>},
};

}  // namespace

std::span<const Field> fields() { return all_fields; }

}  // namespace kvsplit::report
