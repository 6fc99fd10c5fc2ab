// What is drawn of which records, and what gnuplot is told of it.
#include "report/charts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "report/explanation.h"

namespace kvsplit::report {
namespace {

using measure::CacheRecord;

CacheRecord cache(const std::string& name, int k_bits, int v_bits, double kl) {
  CacheRecord record;
  record.cache = name;
  record.engine = "kvsplit";
  record.k_bits = k_bits;
  record.v_bits = v_bits;
  record.kl_mean = kl;
  record.context = 512;
  record.setting.model = "small.Q4_1.gguf";
  return record;
}

Results results(const std::vector<CacheRecord>& records) { return {as_json(records)}; }

Chart chart_of(const Results& results, const std::string& name) {
  const std::vector<Chart> charts = charts_of(results);
  const auto found = std::ranges::find(charts, name, &Chart::name);
  return found == charts.end() ? Chart() : *found;
}

std::vector<std::string> names(const Results& results) {
  std::vector<std::string> names;
  for (const Chart& chart : charts_of(results)) names.push_back(chart.name);
  return names;
}

/// Two heads in layer 0, one in layer 7.
Json explained(const std::string& model, int bits) {
  measure::Explanation found;
  found.bits = bits;
  for (const int layer : {0, 0, 7}) {
    measure::HeadRecord& head = found.heads.emplace_back();
    head.layer = layer;
    head.kl = found.heads.size() * 0.5;
    head.kl_unrotated = 2;
    head.key_error = 0.3;
    head.value_error = 0.2;
  }
  found.caches.resize(9);
  for (CacheRecord& record : found.caches) record.setting.model = model;
  return Json::parse(json(found));
}

std::vector<std::string> series(const Chart& chart) {
  std::vector<std::string> names;
  for (const Point& point : chart.points) {
    if (std::ranges::count(names, point.series) == 0) names.push_back(point.series);
  }
  return names;
}

TEST(Charts, WhatNothingWasMeasuredForIsLeftOut) {
  EXPECT_EQ(names(results({cache("K8V4", 8, 4, 0.01)})), std::vector<std::string>{});
  CacheRecord record = cache("K8V4", 8, 4, 0.01);
  record.ppl_change_percent = 1;
  EXPECT_EQ(names(results({record})), std::vector<std::string>{"perplexity"});
  record.kv_bytes = 1 << 20;
  record.kv_context = 500;
  EXPECT_EQ(names(results({record})), (std::vector<std::string>{"memory", "perplexity", "pareto"}));
}

TEST(Charts, MemoryGrowsByContextAndIsTakenForAThousandTokensBesideLoss) {
  CacheRecord record = cache("K8V4", 8, 4, 0.25);
  record.kv_bytes = 3 << 20;
  record.kv_context = 500;
  CacheRecord longer = record;
  longer.kv_context = 1000;
  longer.kv_bytes = 6 << 20;
  const Results both = results({record, longer});
  const Chart memory = chart_of(both, "memory");
  ASSERT_EQ(memory.points.size(), 2U);
  EXPECT_EQ(memory.points[0].series, "K8V4");
  EXPECT_EQ(memory.points[0].x, 500);
  EXPECT_EQ(memory.points[0].y, 3);
  EXPECT_EQ(memory.kind, "lines");
  EXPECT_EQ(drawing(memory), "\"K8V4\"\n500 3 3 3 \"3\" 0 \"K8V4\"\n1000 6 6 6 \"6\" 0 \"K8V4\"\n");
  const Chart pareto = chart_of(both, "pareto");
  ASSERT_EQ(pareto.points.size(), 1U) << "the same place twice";
  EXPECT_EQ(pareto.points[0].x, 6);
  EXPECT_EQ(pareto.points[0].y, 0.25);
}

TEST(Charts, WhatWasMeasuredTwiceCountsAsMeasuredLast) {
  CacheRecord record = cache("K8V4", 8, 4, 0.01);
  record.ppl_change_percent = 1;
  CacheRecord stock = record;
  stock.engine = "stock";
  CacheRecord last = record;
  last.ppl_change_percent = 2;
  const Chart chart = chart_of(results({record, stock, last}), "perplexity");
  ASSERT_EQ(chart.points.size(), 2U);
  EXPECT_EQ(drawing(chart),
            "\"K8V4\"\n0 2 2 2 \"2\" 0 \"K8V4\"\n\n\n"
            "\"K8V4 (llama.cpp)\"\n0 1 1 1 \"1\" 1 \"K8V4 (llama.cpp)\"\n");
}

TEST(Charts, SpeedsOfOtherPiecesAreNotPutBesideTheFirst) {
  CacheRecord record = cache("K8V4", 8, 4, 0.01);
  record.depth = 128;
  record.prompt_tokens = 512;
  record.decode_tokens = 32;
  record.decode = measure::Rate{.median = 50, .min = 40, .max = 60};
  CacheRecord other = record;
  other.cache = "FP16";
  CacheRecord odd = record;
  odd.cache = "K4V4";
  odd.decode_tokens = 8;
  const Chart chart = chart_of(results({record, other, odd}), "decode");
  ASSERT_EQ(series(chart), (std::vector<std::string>{"K8V4", "FP16"}));
  EXPECT_EQ(chart.points[0].least, 40);
  EXPECT_EQ(chart.points[0].most, 60);
  EXPECT_EQ(chart.points[0].x, 128);
}

TEST(Charts, ModelsAreNamedWhereThereAreSeveral) {
  CacheRecord record = cache("K8V4", 8, 4, 0.01);
  record.ppl_change_percent = 1;
  CacheRecord other = record;
  other.setting.model = "large.gguf";
  EXPECT_EQ(series(chart_of(results({record, other}), "perplexity")),
            (std::vector<std::string>{"K8V4, small.Q4_1", "K8V4, large"}));
}

TEST(Charts, AGridHasTheLossOfEveryPairOfWidths) {
  std::vector<CacheRecord> records = {cache("FP16", 16, 16, 0), cache("K8V4", 8, 4, 0.001),
                                      cache("K4V8", 4, 8, 0.02), cache("K4V4", 4, 4, 0.03)};
  const Chart grid = chart_of(results(records), "sensitivity");
  EXPECT_EQ(series(grid), (std::vector<std::string>{"4", "8", "16"})) << "from few bits to many";
  EXPECT_EQ(drawing(grid),
            "\"4\"\n4 0.03 0.03 0.03 \"0.03\" 4 \"4\"\n8 0.02 0.02 0.02 \"0.02\" 4 \"4\"\n\n\n"
            "\"8\"\n4 0.001 0.001 0.001 \"0.001\" 8 \"8\"\n\n\n"
            "\"16\"\n16 0 0 0 \"0\" 16 \"16\"\n");
  EXPECT_EQ(grid.note, "small.Q4_1, windows of 512 tokens. The darker, the more is lost.");
  // Not what is more than a precision, or of llama.cpp, or of other windows.
  CacheRecord more = cache("K2V2:plan=auto", 2, 2, 1);
  records.push_back(more);
  more.cache = "K2V2";
  more.engine = "stock";
  records.push_back(more);
  more.engine = "kvsplit";
  more.context = 4096;
  records.push_back(more);
  EXPECT_EQ(drawing(chart_of(results(records), "sensitivity")), drawing(grid));
}

TEST(Charts, AGridHasTwoWidthsOfEachSideAtLeast) {
  const std::vector<CacheRecord> line = {cache("FP16", 16, 16, 0), cache("K16V8", 16, 8, 0.1),
                                         cache("K16V4", 16, 4, 0.2), cache("K16V2", 16, 2, 0.3)};
  EXPECT_TRUE(names(results(line)).empty());
  const std::vector<CacheRecord> three = {cache("FP16", 16, 16, 0), cache("K16V8", 16, 8, 0.1),
                                          cache("K8V8", 8, 8, 0.2)};
  EXPECT_TRUE(names(results(three)).empty());
}

TEST(Charts, AGridIsOfTheLongestWindowsOfEachModel) {
  std::vector<CacheRecord> records;
  for (const int context : {4096, 512}) {
    for (const char* const model : {"b.gguf", "a.gguf"}) {
      for (const int bits : {4, 4, 8, 8}) {
        records.push_back(cache("K", bits, records.size() % 2 == 0 ? 4 : 8, 0.5));
        records.back().context = context;
        records.back().setting.model = model;
      }
    }
  }
  const Results found = results(records);
  EXPECT_EQ(names(found), (std::vector<std::string>{"sensitivity", "sensitivity-2"}));
  EXPECT_TRUE(chart_of(found, "sensitivity").note.starts_with("a, windows of 4,096 tokens."));
  EXPECT_TRUE(chart_of(found, "sensitivity-2").note.starts_with("b, windows of 4,096 tokens."));
}

TEST(Charts, AnExplanationIsDrawnByLayer) {
  const Results found{Json::array(), {explained("small.gguf", 4)}};
  EXPECT_EQ(names(found), (std::vector<std::string>{"attention", "errors"}));
  const Chart attention = chart_of(found, "attention");
  ASSERT_EQ(attention.points.size(), 4U * 2);
  EXPECT_EQ(attention.points[0].series, "without rotation");
  EXPECT_EQ(attention.points[0].y, 2);
  EXPECT_EQ(attention.points[1].x, 7);
  EXPECT_EQ(attention.points[2].series, "rotated");
  EXPECT_EQ(attention.points[2].y, 0.75) << "the mean of 0.5 and 1";
  EXPECT_EQ(attention.x, "layer of small");
  EXPECT_TRUE(attention.note.starts_with("With 4 bits ")) << attention.note;
  EXPECT_EQ(series(chart_of(found, "errors")), (std::vector<std::string>{"keys", "values"}));
}

TEST(Charts, SeveralExplanationsAreComparedToo) {
  const Results found{
      Json::array(),
      {explained("small.gguf", 4), explained("large.gguf", 4), explained("large.gguf", 3)}};
  EXPECT_EQ(names(found),
            (std::vector<std::string>{"attention", "errors", "attention-2", "errors-2",
                                      "attention-3", "errors-3", "output"}));
  const Chart output = chart_of(found, "output");
  EXPECT_EQ(series(output),
            (std::vector<std::string>{"small, 4 bits", "large, 4 bits", "large, 3 bits"}));
  EXPECT_NEAR(output.points[0].y, 1.5, 1e-9);
}

TEST(Charts, ACacheLooksTheSameInAllOfThem) {
  CacheRecord first = cache("FP16", 16, 16, 0);
  first.kv_bytes = 4 << 20;
  first.kv_context = 512;
  CacheRecord second = cache("K8V4", 8, 4, 0.01);
  second.kv_bytes = 2 << 20;
  second.kv_context = 512;
  const std::vector<Chart> charts = charts_of(results({first, second}));
  ASSERT_EQ(charts.back().name, "pareto");
  ASSERT_EQ(charts.back().points.size(), 1U) << "the first has no loss and no place";
  EXPECT_EQ(charts.back().points[0].look, 1);
  EXPECT_EQ(charts.front().points[1].look, 1);
}

TEST(Charts, NamesCannotEndTheirQuotes) {
  CacheRecord record = cache("a\"b\\c\nd", 8, 4, 0.01);
  record.ppl_change_percent = 1;
  EXPECT_EQ(drawing(chart_of(results({record}), "perplexity")),
            "\"a'b/c d\"\n0 1 1 1 \"1\" 0 \"a'b/c d\"\n");
}

TEST(Numbers, ForPeopleAreShort) {
  EXPECT_EQ(number(8192), "8,192");
  EXPECT_EQ(number(0.0051349), "0.00513");
  EXPECT_EQ(number(-2), "-2");
  EXPECT_EQ(number(1234.56), "1,235");
  EXPECT_EQ(number(1e300), "1e+300");
}

}  // namespace
}  // namespace kvsplit::report
