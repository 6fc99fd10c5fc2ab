#include "report/records.h"

#include <gtest/gtest.h>

namespace kvsplit::report {
namespace {

using measure::CacheRecord;

std::vector<CacheRecord> measured() {
  CacheRecord stock;
  stock.cache = "f16/f16";
  stock.engine = "stock";
  stock.depth = 8192;
  stock.prompt = {.median = 100, .min = 98.4, .max = 104};
  stock.decode = {.median = 40, .min = 38, .max = 41};
  CacheRecord packed = stock;
  packed.cache = "K8V4";
  packed.engine = "kvsplit";
  packed.prompt = {.median = 150, .min = 149, .max = 151, .ratio = 1.503};
  packed.decode = {.median = 88.25, .min = 80, .max = 90, .ratio = 2.2};
  return {stock, packed};
}

TEST(SpeedTable, ShowsMediansSpreadsAndRatios) {
  EXPECT_EQ(speed_table(measured()).text(),
            "| depth | cache   | engine  | prompt t/s |  min … max | × f16/f16 "
            "| decode t/s |   min … max | × f16/f16 |\n"
            "| ----: | ------- | ------- | ---------: | ---------: | --------: "
            "| ---------: | ----------: | --------: |\n"
            "| 8,192 | f16/f16 | stock   |        100 | 98.4 … 104 |      1.00 "
            "|       40.0 | 38.0 … 41.0 |      1.00 |\n"
            "| 8,192 | K8V4    | kvsplit |        150 |  149 … 151 |      1.50 "
            "|       88.2 | 80.0 … 90.0 |      2.20 |\n");
}

TEST(SpeedTable, LeavesOutWhatWasNotMeasured) {
  std::vector<CacheRecord> records = measured();
  for (CacheRecord& record : records) record.prompt.reset();
  const std::string text = speed_table(records).text();
  EXPECT_EQ(text.find("prompt"), std::string::npos) << text;
  EXPECT_NE(text.find("decode t/s"), std::string::npos) << text;
}

TEST(SpeedTable, SettingIsTwoLines) {
  measure::Setting setting;
  setting.model = "some.gguf";
  setting.cpu = "a processor";
  setting.threads = 4;
  setting.kernels = "avx2";
  setting.kvsplit = "1.2.3";
  setting.llama_cpp = "4.5";
  setting.ggml = "6.7";
  setting.date = "2026-01-31T23:59:59Z";
  EXPECT_EQ(setting_text(setting),
            "some.gguf on a processor, 4 threads, avx2 kernels\n"
            "kvsplit 1.2.3, llama.cpp 4.5 (ggml 6.7), 2026-01-31T23:59:59Z\n");
}

}  // namespace
}  // namespace kvsplit::report
