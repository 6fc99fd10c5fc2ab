// The page of kvsplit report in a real browser: light, dark and on a small screen.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/web/browser.h"

namespace kvsplit::web {
namespace {

class ReportPage : public testing::Test {
 protected:
  void SetUp() override {
    const std::string gnuplot = "command -v gnuplot";
    if (!has_browser() ||
        programs::run({.arguments = {"sh", "-c", gnuplot}, .environment = {}}).exit_code != 0) {
      GTEST_SKIP() << "chromium, chromedriver or gnuplot is not here";
    }
    const std::string results = KVSPLIT_SOURCE_DIR "/tests/data/results/";
    const programs::Result result = programs::run(
        {.arguments = {std::getenv("KVSPLIT_TEST_PROGRAM"), "report", results + "compare.json",
                       results + "explain.json", results + "explain.json", "-o", file("page.html")},
         .environment = {}});
    ASSERT_EQ(result.exit_code, 0) << result.log;
  }
  std::string file(const std::string& name) const { return folder_.path() / name; }

  programs::TemporaryFolder folder_;
};

TEST_F(ReportPage, FitsAnyScreenInLightAndDark) {
  const struct {
    int width;
    bool dark;
    const char* paper;
  } looks[] = {{1200, false, "rgb(255, 255, 255)"},
               {1200, true, "rgb(23, 25, 28)"},
               {390, false, "rgb(255, 255, 255)"},
               {390, true, "rgb(23, 25, 28)"}};
  for (const auto& [width, dark, paper] : looks) {
    const Browser browser("file://" + file("page.html"), width, dark);
    browser.wait_for("document.readyState === 'complete'");
    EXPECT_LE(browser.ask("return document.documentElement.scrollWidth"), width);
    EXPECT_EQ(browser.ask("return getComputedStyle(document.body).backgroundColor"), paper);
    EXPECT_EQ(browser.ask("return document.querySelectorAll('svg[role=img]').length"), 11);
    EXPECT_EQ(browser.ask("return [...document.querySelectorAll('svg[role=img]')].filter((svg) =>"
                          "svg.getBoundingClientRect().width < 300).length"),
              0);
    // Labels have the colour of the page's text, which is light on dark.
    EXPECT_EQ(browser.ask("return getComputedStyle(document.querySelector('svg text')).fill"),
              browser.ask("return getComputedStyle(document.body).color"));
    // Open, all numbers are there, and the page is as wide as before.
    browser.ask("document.querySelectorAll('details').forEach((node) => node.open = true)");
    EXPECT_LE(browser.ask("return document.documentElement.scrollWidth"), width);
    EXPECT_EQ(browser.ask("return [...document.querySelectorAll('details table')].filter((table) =>"
                          "!table.rows.length).length"),
              0);
    // Ids are those of one element each: references between them meet the right one.
    EXPECT_EQ(browser.ask("const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);"
                          "return ids.length - new Set(ids).size"),
              0);
    EXPECT_EQ(browser.complaints(), "");
    browser.ask("document.querySelectorAll('details').forEach((node) => node.open = false)");
    browser.picture("report-" + std::to_string(width) + (dark ? "-dark.png" : "-light.png"));
  }
}

TEST_F(ReportPage, PicturesStandAloneToo) {
  for (const bool dark : {false, true}) {
    const Browser browser("file://" + file("page-sensitivity.svg"), 390, dark);
    EXPECT_EQ(browser.ask("return getComputedStyle(document.querySelector('svg')).color"),
              dark ? "rgb(232, 232, 232)" : "rgb(27, 27, 27)");
    EXPECT_EQ(browser.complaints(), "");
    browser.picture(dark ? "grid-dark.png" : "grid-light.png");
  }
}

}  // namespace
}  // namespace kvsplit::web
