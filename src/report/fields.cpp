#include "report/fields.h"

#include <optional>

namespace kvsplit::report {
namespace {

using measure::CacheRecord;

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

}  // namespace

const std::array<Field, 20> fields = {{
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
    {"prompt_tps", member<&CacheRecord::prompt_tps>},
    {"decode_tps", member<&CacheRecord::decode_tps>},
    {"depth", member<&CacheRecord::depth>},
    {"peak_rss_bytes", member<&CacheRecord::peak_rss_bytes>},
}};

}  // namespace kvsplit::report
