// What is written of why keys and values need their bits.
#include "report/explanation.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace kvsplit::report {
namespace {

measure::HeadRecord head(int layer, int kv_head, double kl, double without_bias) {
  measure::HeadRecord record;
  record.layer = layer;
  record.kv_head = kv_head;
  record.kl = record.kl_unrotated = record.kl_first_exact = kl;
  record.kl_bias_off = without_bias;
  return record;
}

measure::Explanation explanation() {
  measure::Explanation found;
  found.bits = 4;
  found.heads = {head(0, 0, 1, 1), head(0, 1, 0.5, 0.5), head(7, 0, 2, 0.25), head(7, 1, 1, 0.25)};
  found.heads[0].value_error = found.heads[1].value_error = 0.5;
  for (const double kl : {0.0, 0.5, 0.25, 0.125, 0.25, 0.0625, 0.0625, 0.0375, 0.075}) {
    found.caches.emplace_back().kl_mean = kl;
  }
  return found;
}

TEST(Explanation, SaysWhichSideCostsMoreAndWhere) {
  EXPECT_EQ(
      verdict(explanation()),
      "With 4 bits values cost 2.0 times as much (KL of keys 0.125, of values 0.250); without "
      "rotation keys cost 2.0 times as much (KL of keys 0.500, of values 0.250); with first "
      "and last tokens in 8 bits values cost 2.0 times as much (KL of keys 0.0375, of values "
      "0.0750).\n"
      "In 1 of 2 layers quantised values change the output of attention more than keys do.\n"
      "Quantised keys disturb attention most in layers 7 (KL 1.50: a bias), 0 (KL 0.750: "
      "no single cause).\n");
}

TEST(Explanation, NamesEachCause) {
  measure::Explanation found = explanation();
  found.heads = {head(3, 0, 1, 1)};
  found.heads[0].kl_first_exact = 0.25;
  EXPECT_NE(verdict(found).find("3 (KL 1.00: the first tokens)"), std::string::npos);
  found.heads[0].kl_unrotated = 8;
  EXPECT_NE(verdict(found).find("3 (KL 1.00: outlier channels, which"), std::string::npos);
  found.heads[0].kl_unrotated = 0.125;
  EXPECT_NE(verdict(found).find("3 (KL 1.00: rotation, which"), std::string::npos);
}

TEST(Explanation, HasARowPerLayerThatIsTheMeanOfItsHeads) {
  const std::string shown = text(explanation());
  EXPECT_NE(shown.find("\n|     0 | 0.750 | "), std::string::npos) << shown;
  EXPECT_NE(shown.find("\n|     7 |  1.50 | "), std::string::npos) << shown;
}

TEST(Explanation, HasTheKeysThatAreDocumented) {
  const auto found = nlohmann::json::parse(json(explanation()));
  std::ifstream stream(KVSPLIT_SOURCE_DIR "/docs/results.md");
  const std::string manual(std::istreambuf_iterator<char>(stream), {});
  const auto expect_documented = [&](const nlohmann::json& object) {
    for (const auto& item : object.items()) {
      EXPECT_NE(manual.find("`" + item.key() + "`"), std::string::npos)
          << "docs/results.md does not explain " << item.key();
    }
  };
  expect_documented(found);
  expect_documented(found["heads"][0]);
  EXPECT_EQ(found["bits"], 4);
  ASSERT_EQ(found["heads"].size(), 4U);
  EXPECT_EQ(found["heads"][3]["layer"], 7);
  EXPECT_EQ(found["heads"][3]["kv_head"], 1);
  EXPECT_EQ(found["heads"][3]["kl"], 1);
  EXPECT_EQ(found["heads"][3]["kl_bias_off"], 0.25);
  EXPECT_EQ(found["caches"].size(), 9U);
  EXPECT_EQ(found["verdict"], verdict(explanation()));
}

TEST(Explanation, IsALinePerHeadInCsv) {
  const std::string lines = csv(explanation());
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 5);
  EXPECT_EQ(lines.substr(0, 33), "layer,kv_head,kl,kl_unrotated,kl_");
  EXPECT_NE(lines.find("\n7,0,2.0,2.0,2.0,0.25,"), std::string::npos) << lines;
}

}  // namespace
}  // namespace kvsplit::report
