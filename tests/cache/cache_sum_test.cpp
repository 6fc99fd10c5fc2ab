// The one line that says what was packed.
#include "cache/cache_table.h"

#include <gtest/gtest.h>

#include <array>

#include "base/pages.h"

namespace kvsplit {
namespace {

NominalRows rows(const std::string& name) {
  NominalRows rows = parse_cache_name(name).value();
  rows.type = "f16";
  rows.cells = {512, 1};
  rows.n_channels = 128;
  rows.row_bytes = 256;
  return rows;
}

std::string line_for(const std::string& precision) {
  const NominalRows keys = rows("cache_k_l0");
  const NominalRows values = rows("cache_v_l0");
  const Pages memory(keys.bytes() + values.bytes());
  const std::optional<Precision> chosen = parse_precision(precision);
  const HostedTensor k(keys, choose_format(keys, chosen), memory.data());
  const HostedTensor v(values, choose_format(values, chosen), memory.data() + keys.bytes());
  return CacheSummary(std::array{&k, &v}).text();
}

TEST(CacheSummary, NamesThePrecisionAsItIsWritten) {
  EXPECT_TRUE(line_for("K8V4").starts_with("K8V4 cache: 2 tensors packed"));
  EXPECT_TRUE(line_for("K8V8").starts_with("K8V8 cache: 2"));
  EXPECT_TRUE(line_for("K4V4:window=4").starts_with("K4V4:window=4 cache: 2"));
}

// Beside 16 bits there are no exact rows, whatever was asked for.
TEST(CacheSummary, NamesOnlyTheExactRowsThatThereAre) {
  EXPECT_TRUE(line_for("K16V4:window=8").starts_with("K16V4 cache: 2"));
}

}  // namespace
}  // namespace kvsplit
