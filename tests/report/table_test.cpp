#include "report/table.h"

#include <gtest/gtest.h>

#include "report/numbers.h"

namespace kvsplit::report {
namespace {

TEST(Table, AlignsTextLeftAndNumbersRight) {
  Table table;
  table.add_column("cache", Table::Align::left);
  table.add_column("MiB");
  table.add_row({"FP16", "180.00"});
  table.add_row({"K8V4", "73.13"});
  EXPECT_EQ(table.text(),
            "| cache |    MiB |\n"
            "| ----- | -----: |\n"
            "| FP16  | 180.00 |\n"
            "| K8V4  |  73.13 |\n");
}

TEST(Table, CountsCharactersNotBytes) {
  Table table;
  table.add_column("KL", Table::Align::left);
  table.add_column("end", Table::Align::left);
  table.add_row({"0.1 ± 0.02", "x"});
  table.add_row({"0.1 + 0.02", "⚠"});
  EXPECT_EQ(table.text(),
            "| KL         | end |\n"
            "| ---------- | --- |\n"
            "| 0.1 ± 0.02 | x   |\n"
            "| 0.1 + 0.02 | ⚠   |\n");
}

TEST(Numbers, AreGroupedByThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(8192), "8,192");
  EXPECT_EQ(grouped(-134515008), "-134,515,008");
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
