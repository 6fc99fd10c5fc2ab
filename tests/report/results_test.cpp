// What is read of files that kvsplit wrote, and how others are refused.
#include "report/results.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "report/explanation.h"
#include "support/run_program.h"

namespace kvsplit::report {
namespace {

using measure::CacheRecord;
using test::TestFolder;

std::vector<CacheRecord> records() {
  CacheRecord record;
  record.cache = "K8V4";
  record.engine = "kvsplit";
  record.kl_mean = 0.25;
  return {record, record};
}

measure::Explanation explanation() {
  measure::Explanation found;
  found.bits = 4;
  found.heads.resize(3);
  found.caches.resize(9);
  return found;
}

/// What is said of the file that holds this.
std::string complaint(const std::string& content) {
  const TestFolder folder;
  const std::string file = folder / "r.json";
  test::write_file(file, content);
  try {
    read_results(std::vector{file});
    return "";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_TRUE(message.starts_with(file + ": ")) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message.substr(std::min(message.size(), file.size() + 2));
  }
}

std::string complaint(const Json& whole, const std::function<void(Json&)>& damage) {
  Json changed = whole;
  damage(changed);
  return complaint(changed.dump());
}

TEST(Results, AreThoseOfAllFiles) {
  const TestFolder folder;
  test::write_file(folder / "a.json", json(explanation()));
  test::write_file(folder / "b.json", as_json(records()).dump());
  const Results found = read_results(std::vector{folder / "a.json", folder / "b.json"});
  EXPECT_EQ(found.records, as_json(records()));
  ASSERT_EQ(found.explained.size(), 1U);
  EXPECT_EQ(found.explained[0], Json::parse(json(explanation())));
  EXPECT_EQ(found.all_records().size(), 2U + 9);
}

TEST(Results, OfOtherKeysOrKindsAreRefusedByName) {
  const Json list = as_json(records()), found = Json::parse(json(explanation()));
  EXPECT_EQ(complaint(list.dump()), "");
  EXPECT_EQ(complaint(found.dump()), "");
  EXPECT_EQ(complaint(list, [](Json& json) { json[1]["nosuch\n"] = 1; }),
            "record 2: unknown key \"nosuch\\n\"");
  EXPECT_EQ(complaint(list, [](Json& json) { json[0].erase("engine"); }),
            "record 1: no key \"engine\"");
  EXPECT_EQ(complaint(list, [](Json& json) { json[0]["kl_mean"] = "much"; }),
            "record 1: kl_mean: expected a number or null, found \"much\"");
  EXPECT_EQ(complaint(list, [](Json& json) { json[1]["cache"] = nullptr; }),
            "record 2: cache: expected a text, found null");
  EXPECT_EQ(complaint(list, [](Json& json) { json[1]["k_bits"] = 1e300; }),
            "record 2: k_bits: expected a whole number, found 1e+300");
  EXPECT_EQ(complaint(list, [](Json& json) { json[1] = 5; }), "record 2: 5, expected keys");
  EXPECT_EQ(complaint(found, [](Json& json) { json["heads"] = 5; }),
            "heads: expected a list, found 5");
  EXPECT_EQ(complaint(found, [](Json& json) { json["heads"][2].erase("kl"); }),
            "heads: record 3: no key \"kl\"");
  EXPECT_EQ(complaint(found, [](Json& json) { json["heads"][2]["kl"] = nullptr; }),
            "heads: record 3: kl: expected a number, found null");
  EXPECT_EQ(complaint(found, [](Json& json) { json["caches"] = Json::array(); }),
            "caches: expected a list of records");
  EXPECT_EQ(complaint(found, [](Json& json) { json["more"] = true; }), "unknown key \"more\"");
}

TEST(Results, ThatAreDamagedAreRefused) {
  EXPECT_EQ(complaint("[{\"cache\": \"K8V"), "damaged, or no JSON");
  EXPECT_EQ(complaint("[NaN]"), "damaged, or no JSON");
  EXPECT_EQ(complaint("[]"), "expected a list of records");
  EXPECT_EQ(complaint("5"), "expected a list of records");
  EXPECT_THROW(read_results(std::vector<std::string>{"/no/such/file.json"}), Error);
  // Deeper than a stack.
  Json list = as_json(records());
  list[0]["kl_mean"] = "DEEP";
  std::string text = list.dump();
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  text.replace(text.find("\"DEEP\""), 6, deep);
  EXPECT_EQ(complaint(text), "record 1: kl_mean: expected a number or null, found a list");
}

}  // namespace
}  // namespace kvsplit::report
