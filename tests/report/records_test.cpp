#include "report/records.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/error.h"
#include "report/result_file.h"
#include "support/run_program.h"

namespace kvsplit::report {
namespace {

using measure::CacheRecord;
using Json = nlohmann::json;

CacheRecord measured() {
  CacheRecord record;
  record.cache = "K8V4";
  record.engine = "kvsplit";
  record.device = "KVSPLIT";
  record.k_bits = 8;
  record.v_bits = 4;
  record.k_bits_all_in = 8.5;
  record.v_bits_all_in = 4.5;
  record.context = 2048;
  record.kv_bytes = 76'677'120;
  record.kv_context = 8192;
  record.ppl = 17.25;
  record.ppl_change_percent = 0.375;
  record.kl_mean = 0.0078125;
  record.kl_stderr = 0.0009765625;
  record.same_top_percent = 96.5;
  return record;
}

TEST(Records, HaveTheKeysThatAreDocumented) {
  const std::set<std::string> promised = {
      "cache",         "engine",         "k_bits",           "v_bits",       "k_bits_all_in",
      "v_bits_all_in", "context",        "kv_bytes",         "ppl",          "ppl_change_percent",
      "kl_mean",       "kl_stderr",      "same_top_percent", "prompt_tps",   "decode_tps",
      "depth",         "peak_rss_bytes", "prompt_tps_min",   "decode_ratio", "speed_rounds",
      "cpu",           "threads",        "kernels",          "date"};
  const std::vector<CacheRecord> records = {measured()};
  const Json list = Json::parse(json(records));
  ASSERT_EQ(list.size(), 1U);
  for (const std::string& key : promised) EXPECT_TRUE(list[0].contains(key)) << key;

  std::ifstream stream(KVSPLIT_SOURCE_DIR "/docs/results.md");
  const std::string manual(std::istreambuf_iterator<char>(stream), {});
  for (const auto& item : list[0].items()) {
    EXPECT_NE(manual.find("`" + item.key() + "`"), std::string::npos)
        << "docs/results.md does not explain " << item.key();
  }
}

TEST(Records, KeepNumbersAndSayNullWhereNothingWasMeasured) {
  const std::vector<CacheRecord> records = {measured()};
  const Json record = Json::parse(json(records))[0];
  EXPECT_EQ(record["cache"], "K8V4");
  EXPECT_EQ(record["kv_bytes"], 76'677'120);
  EXPECT_EQ(record["kl_mean"], 0.0078125);
  EXPECT_TRUE(record["prompt_tps"].is_null());
  EXPECT_TRUE(record["peak_rss_bytes"].is_null());
}

TEST(Records, SpreadSpeedsAndTheirSettingOverKeysOfTheirOwn) {
  CacheRecord measured_speed = measured();
  measured_speed.decode = {.median = 60, .min = 50, .max = 75, .ratio = 1.5};
  measured_speed.setting.cpu = "a processor";
  measured_speed.setting.threads = 2;
  const std::vector<CacheRecord> records = {measured_speed};
  const Json record = Json::parse(json(records))[0];
  EXPECT_EQ(record["decode_tps"], 60);
  EXPECT_EQ(record["decode_tps_min"], 50);
  EXPECT_EQ(record["decode_tps_max"], 75);
  EXPECT_EQ(record["decode_ratio"], 1.5);
  EXPECT_TRUE(record["prompt_ratio"].is_null());
  EXPECT_EQ(record["cpu"], "a processor");
  EXPECT_EQ(record["threads"], 2);
}

TEST(Records, AsCsvHaveAHeaderAndOneLineEach) {
  const std::vector<CacheRecord> records = {measured(), measured()};
  std::istringstream stream(csv(records));
  std::string header;
  std::string first;
  std::string second;
  std::string none;
  std::getline(stream, header);
  std::getline(stream, first);
  std::getline(stream, second);
  EXPECT_FALSE(std::getline(stream, none));
  EXPECT_EQ(
      header.rfind("cache,engine,device,k_bits,v_bits,k_bits_all_in,v_bits_all_in,context,", 0),
      0U);
  EXPECT_EQ(first.rfind("K8V4,kvsplit,KVSPLIT,8,4,8.5,4.5,2048,76677120,8192,17.25,", 0), 0U);
  EXPECT_EQ(first, second);
  EXPECT_EQ(std::count(header.begin(), header.end(), ','),
            std::count(first.begin(), first.end(), ','));
}

TEST(Records, AsCsvQuoteWhatWouldBeMisread) {
  CacheRecord record = measured();
  record.cache = R"(K8,V4 "new")";
  const std::vector<CacheRecord> records = {record};
  EXPECT_NE(csv(records).find("\n\"K8,V4 \"\"new\"\"\",kvsplit,"), std::string::npos);
}

TEST(Records, AsTableLeaveOutWhatNobodyMeasured) {
  const std::vector<CacheRecord> records = {measured()};
  const std::string text = table(records).text();
  EXPECT_NE(text.find("+0.38 %"), std::string::npos) << text;
  EXPECT_NE(text.find("0.00781 ± 0.00098"), std::string::npos) << text;
  EXPECT_NE(text.find("8.5/4.5"), std::string::npos) << text;
  EXPECT_EQ(text.find("decode t/s"), std::string::npos) << text;
}

TEST(Records, AreWrittenAsTheNameEnds) {
  const std::vector<CacheRecord> records = {measured()};
  const test::TestFolder folder;
  const std::string file = folder / "records";
  for (const char* ending : {".json", ".csv", ".md"}) {
    write(file + ending, json(records), csv(records), "as shown");
  }
  EXPECT_EQ(test::contents(file + ".json"), json(records));
  EXPECT_EQ(test::contents(file + ".csv"), csv(records));
  EXPECT_EQ(test::contents(file + ".md"), "as shown");
  EXPECT_THROW(write(file + ".txt", json(records), "", ""), Error);
  EXPECT_THROW(write("/no/such/folder/x.csv", "", "", ""), Error);
}

}  // namespace
}  // namespace kvsplit::report
