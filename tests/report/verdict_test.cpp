#include <gtest/gtest.h>

#include <vector>

#include "report/records.h"

namespace kvsplit::report {
namespace {

using measure::CacheRecord;

CacheRecord cache(const std::string& name, std::uint64_t mib, double kl) {
  CacheRecord record;
  record.cache = name;
  record.engine = "kvsplit";
  record.kv_bytes = mib << 20;
  record.kl_mean = kl;
  record.ppl_change_percent = 0.5;
  return record;
}

bool begins_with(const std::string& text, const std::string& start) {
  return text.rfind(start, 0) == 0;
}

TEST(Recommendation, IsTheSmallestCacheWhoseLossNobodyNotices) {
  const std::vector<CacheRecord> records = {cache("FP16", 180, 0), cache("K8V8", 96, 0.0001),
                                            cache("K8V4", 73, 0.0025), cache("K4V4", 51, 0.004)};
  const std::string advice = recommendation(records);
  EXPECT_TRUE(begins_with(advice, "Take K8V4, the smallest cache with a KL of at most 0.003"))
      << advice;
  EXPECT_NE(advice.find("73.00 MiB instead of 180.00 MiB (2.5 times smaller"), std::string::npos)
      << advice;
}

// On quantised weights no cache is closer to another than some thousandths.
TEST(Recommendation, CountsFromWhatTheHostsOwnCacheDiffersBy) {
  std::vector<CacheRecord> records = {cache("FP16", 180, 0), cache("f16/f16", 180, 0.0035),
                                      cache("K4V4", 51, 0.006), cache("K3V3", 40, 0.007)};
  EXPECT_TRUE(begins_with(recommendation(records), "Stay with FP16"));
  records[1].engine = "stock";
  records[1].k_bits = records[1].v_bits = 16;
  EXPECT_TRUE(begins_with(recommendation(records), "Take K4V4"));
  EXPECT_TRUE(begins_with(recommendation(records, 0.004), "Take K3V3")) << "told otherwise";
}

TEST(Recommendation, AmongEqualsIsTheFastest) {
  std::vector<CacheRecord> records = {cache("FP16", 180, 0), cache("q8_0/q4_0", 73, 0.002),
                                      cache("K8V4", 73, 0.0026)};
  records[1].engine = "stock";
  EXPECT_TRUE(begins_with(recommendation(records), "Take llama.cpp's own q8_0/q4_0"));
  records[1].decode = measure::Rate{.median = 60};
  records[2].decode = measure::Rate{.median = 100};
  EXPECT_TRUE(begins_with(recommendation(records), "Take K8V4"));
}

TEST(Recommendation, SaysWhatItDoesToSpeed) {
  std::vector<CacheRecord> records = {cache("FP16", 180, 0), cache("K8V4", 73, 0.0026)};
  records[1].prompt = measure::Rate{.median = 250, .ratio = 1.25};
  EXPECT_EQ(recommendation(records).find("speed"), std::string::npos) << "decoding is not known";
  records[1].decode = measure::Rate{.median = 75, .ratio = 1.5};
  records[1].depth = 2048;
  EXPECT_NE(recommendation(records).find(
                "at 2,048 tokens prompts run at 1.25 and decoding at 1.50 times its speed"),
            std::string::npos)
      << recommendation(records);
}

TEST(Recommendation, IsToStayWhereEverythingDoesDamage) {
  const std::vector<CacheRecord> records = {cache("FP16", 180, 0), cache("K8V4", 73, 0.5)};
  EXPECT_TRUE(begins_with(recommendation(records), "Stay with FP16"));
}

TEST(Recommendation, NeedsSomethingToCompare) {
  const std::vector<CacheRecord> records = {cache("FP16", 180, 0)};
  EXPECT_EQ(recommendation(records), "");
}

TEST(Damage, IsMarkedAboveTheBoundOnly) {
  EXPECT_FALSE(is_damaged(cache("K8V4", 73, visible_damage_kl)));
  EXPECT_TRUE(is_damaged(cache("K4V4", 51, visible_damage_kl * 1.01)));
  EXPECT_FALSE(is_damaged(CacheRecord{}));
  const std::vector<CacheRecord> fine = {cache("K8V4", 73, 0.001)};
  EXPECT_EQ(damage_legend(fine), "");
}

}  // namespace
}  // namespace kvsplit::report
