#include "report/table.h"

#include <gtest/gtest.h>

namespace kvsplit::report {
namespace {

TEST(Table, AlignsTextLeftAndNumbersRight) {
  Table table{{"cache", "MiB", "change"}};
  table.rows.push_back({"FP16", "180.00", ""});
  table.rows.push_back({"K8V4", "73.13", "+0.1 %"});
  EXPECT_EQ(table.text(),
            "| cache |    MiB | change |\n"
            "| ----- | -----: | -----: |\n"
            "| FP16  | 180.00 |        |\n"
            "| K8V4  |  73.13 | +0.1 % |\n");
}

TEST(Table, CountsCharactersNotBytes) {
  Table table{{"KL", "end"}};
  table.rows.push_back({"± 0.02", "x"});
  table.rows.push_back({"about 0", "⚠"});
  EXPECT_EQ(table.text(),
            "| KL      | end |\n"
            "| ------- | --- |\n"
            "| ± 0.02  | x   |\n"
            "| about 0 | ⚠   |\n");
}

TEST(Table, LeavesOutColumnsWithNothingInThem) {
  Table table{{"cache", "window", "MiB"}};
  table.rows.push_back({"FP16", "", "180.00"});
  table.rows.push_back({"K8V4", "", ""});
  EXPECT_EQ(table.text(),
            "| cache |    MiB |\n"
            "| ----- | -----: |\n"
            "| FP16  | 180.00 |\n"
            "| K8V4  |        |\n");
}

TEST(Numbers, AreGroupedByThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(8192), "8,192");
  EXPECT_EQ(grouped(134515008), "134,515,008");
}

TEST(Numbers, HaveThreeSignificantDigits) {
  EXPECT_EQ(significant(0), "0");
  EXPECT_EQ(significant(0.0051349), "0.00513");
  EXPECT_EQ(significant(2.0912), "2.09");
  EXPECT_EQ(significant(83.66), "83.7");
  EXPECT_EQ(significant(1234.4), "1234");
}

TEST(Numbers, HaveErrorsOfTheSamePrecision) {
  EXPECT_EQ(with_error(0.0051349, 0.000213), "0.00513 ± 0.00021");
  EXPECT_EQ(with_error(0, 0), "0");
}

TEST(Numbers, OfBytesAreBinary) {
  EXPECT_EQ(bytes(18.28125 * 1024 * 1024), "18.28 MiB");
  EXPECT_EQ(bytes(20.5 * 1024 * 1024 * 1024), "20.50 GiB");
}

}  // namespace
}  // namespace kvsplit::report
