// kvsplit report: a page and pictures, all of them or nothing; and what its texts cannot do.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "support/run_program.h"

namespace kvsplit {
namespace {

using Json = nlohmann::json;
using test::ProgramResult;
using test::TestFolder;

/// Small, of real runs: tests/data/results/README.md.
std::string sample(const std::string& name) {
  return KVSPLIT_SOURCE_DIR "/tests/data/results/" + name + ".json";
}

ProgramResult report(const std::string& arguments, const std::string& before = "") {
  return test::run_shell(before + " '" + test::environment("KVSPLIT_TEST_PROGRAM") + "' report " +
                         arguments);
}

std::set<std::string> files(const TestFolder& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "")) {
    names.insert(entry.path().filename());
  }
  return names;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// One line that holds `part`, exit code 2.
void expect_refusal(const ProgramResult& result, const std::string& part) {
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.output, "");
  EXPECT_EQ(std::ranges::count(result.errors, '\n'), 1) << result.errors;
  EXPECT_TRUE(contains(result.errors, part)) << result.errors;
}

class Report : public testing::Test {
 protected:
  void SetUp() override {
    if (test::run_shell("command -v gnuplot").exit_code != 0) GTEST_SKIP() << "gnuplot is not here";
  }
  std::string output() const { return " -o '" + (folder_ / "page.html") + "' "; }

  TestFolder folder_;
};

TEST_F(Report, IsAPageThatNeedsNothingElseWithPicturesBesideIt) {
  const auto result =
      report(sample("compare") + " " + sample("explain") + " " + sample("explain") + output());
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.errors, "");
  const std::string page = test::contents(folder_ / "page.html");
  std::set<std::string> expected = {"page.html"};
  for (const std::string name :
       {"memory", "prompt", "decode", "perplexity", "pareto", "sensitivity", "attention", "errors",
        "attention-2", "errors-2", "output"}) {
    expected.insert({"page-" + name + ".svg", "page-" + name + ".png"});
    EXPECT_TRUE(contains(page, "<title id=\"" + name + "-title\">")) << name;
    EXPECT_TRUE(contains(page, "<desc id=\"" + name + "-says\">")) << name;
    const std::string picture = test::contents(folder_ / ("page-" + name + ".svg"));
    EXPECT_TRUE(picture.starts_with("<svg")) << name;
    EXPECT_TRUE(contains(picture, "role=\"img\"")) << name;
    EXPECT_TRUE(contains(picture, "xmlns=\"http://www.w3.org/2000/svg\"")) << name;
  }
  if (!contains(test::run_shell("gnuplot -e 'print GPVAL_TERMINALS'").errors, "pngcairo")) {
    std::erase_if(expected, [](const std::string& name) { return name.ends_with(".png"); });
  }
  EXPECT_EQ(files(folder_), expected);
  std::string links = page;
  for (std::size_t at = 0; (at = links.find("http://www.w3.org/", at)) != std::string::npos;) {
    links.erase(at, 18);  // names of SVG's own
  }
  for (const char* const foreign : {"http:", "https:", "<script", "<link", "src=", "@import"}) {
    EXPECT_FALSE(contains(links, foreign)) << foreign;
  }
  const Json found = Json::parse(test::contents(sample("explain")));
  const std::string verdict = found["verdict"];
  EXPECT_TRUE(contains(page, verdict.substr(0, verdict.find('\n')))) << "what explain said";
  EXPECT_TRUE(contains(page, "Measured with") && contains(page, "All records"));
}

TEST_F(Report, TakesThePlaceOfTheOneBefore) {
  test::write_file(folder_ / "page.html", "old");
  test::write_file(folder_ / "page-memory.svg", "old");
  ASSERT_EQ(report(sample("compare") + output()).exit_code, 0);
  EXPECT_GT(test::contents(folder_ / "page.html").size(), 1000U);
  EXPECT_GT(test::contents(folder_ / "page-memory.svg").size(), 1000U);
}

TEST_F(Report, WritesNothingOfResultsThatItCannotRead) {
  const std::string file = folder_ / "r.json";
  const auto refused = [&](const std::string& content, const std::string& reason) {
    test::write_file(file, content);
    expect_refusal(report(sample("compare") + " '" + file + "'" + output()), file + ": " + reason);
    EXPECT_EQ(files(folder_), std::set<std::string>{"r.json"});
  };
  const Json whole = Json::parse(test::contents(sample("compare")));
  refused(whole.dump().substr(0, 1000), "damaged, or no JSON");
  Json changed = whole;
  changed[1]["more"] = 1;
  refused(changed.dump(), "record 2: unknown key \"more\"");
  changed = whole;
  changed[0].erase("kl_mean");
  refused(changed.dump(), "record 1: no key \"kl_mean\"");
  changed = whole;
  changed[2]["kv_bytes"] = "many";
  refused(changed.dump(), "record 3: kv_bytes: expected a number or null, found \"many\"");
  expect_refusal(report("/no/such.json" + output()), "/no/such.json: cannot be read");
}

TEST_F(Report, WritesNothingWhereItCannotWriteAll) {
  const std::string results = sample("compare");
  expect_refusal(report(results + output(), "PATH=/nowhere"), "install gnuplot-nox");
  expect_refusal(report(results + " -o '" + (folder_ / "none/page.html") + "'"),
                 "there is no folder");
  expect_refusal(report(results + " -o '" + (folder_ / "page.pdf") + "'"), "a .html file");
  // A file may have half a KiB, as on a disk that is full.
  expect_refusal(report(results + output(), "trap '' XFSZ; ulimit -f 1;"), "is the disk full?");
  EXPECT_EQ(files(folder_), std::set<std::string>{});
#ifdef __linux__
  expect_refusal(report(results + " -o /proc/page.html"), "cannot be made");
#endif
  std::filesystem::create_directory(folder_ / "page-pareto.svg");
  expect_refusal(report(results + output()), "page-pareto.svg: a folder");
  EXPECT_EQ(files(folder_), std::set<std::string>{"page-pareto.svg"}) << "all or nothing";
}

/// Texts of a file that somebody else made reach neither a shell nor gnuplot's or a browser's.
TEST_F(Report, RunsNothingThatANameSays) {
  const std::string touch = "touch " + (folder_ / "harm");
  const std::vector<std::string> names = {"`" + touch + "`",
                                          "$(" + touch + ")",
                                          "\"; system('" + touch + "'); \"",
                                          "'; system(\"" + touch + "\"); '",
                                          "\\\"`" + touch + "`",
                                          "< " + touch,
                                          "| " + touch,
                                          "@ARG1 %s %d %n {/:Bold x}_y^z",
                                          "<script>alert(1)</script>",
                                          "a\nset output \"harm\"\n!" + touch,
                                          "</svg><script>alert(1)</script>"};
  const Json compare = Json::parse(test::contents(sample("compare")));
  const Json explain = Json::parse(test::contents(sample("explain")));
  for (const std::string& name : names) {
    Json list = compare;
    for (Json& record : list) record["model"] = name;
    list[1]["cache"] = name;
    list[2]["cpu"] = name;
    list[2]["model"] = "another " + name;
    Json found = explain;
    for (Json& record : found["caches"]) record["model"] = name;
    found["verdict"] = name;
    test::write_file(folder_ / "a.json", list.dump());
    test::write_file(folder_ / "b.json", found.dump());
    const auto result =
        report("'" + (folder_ / "a.json") + "' '" + (folder_ / "b.json") + "'" + output());
    EXPECT_EQ(result.exit_code, 0) << name << result.errors;
    EXPECT_FALSE(files(folder_).contains("harm")) << name;
    const std::string page = test::contents(folder_ / "page.html");
    EXPECT_FALSE(contains(page, "<script")) << name;
    EXPECT_FALSE(contains(test::contents(folder_ / "page-memory.svg"), "<script")) << name;
  }
  // The page's own name, of a folder of its own, is the user's, and as little a command.
  const std::string file = folder_ / "|touch harm`touch harm`.html";
  const auto result = test::run_shell("cd '" + (folder_ / "") + "' && '" +
                                      test::environment("KVSPLIT_TEST_PROGRAM") + "' report " +
                                      sample("compare") + " -o '|touch harm`touch harm`.html'");
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(std::filesystem::exists(file));
  EXPECT_FALSE(files(folder_).contains("harm"));
}

}  // namespace
}  // namespace kvsplit
