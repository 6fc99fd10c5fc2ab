// The page of kvsplit demo in a real browser: chats, pictures, the keyboard, small screens, errors.
#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "tests/programs/demo.h"
#include "tests/web/browser.h"

namespace kvsplit::web {
namespace {

using nlohmann::json;
using programs::Demo;

constexpr const char* tab = "\ue004";
constexpr const char* enter = "\ue007";
constexpr const char* both_done =
    "document.querySelector('#status').textContent.match(/is done/g)"
    "?.length === 2";

class Page : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (has_browser()) demo_ = std::make_unique<Demo>(std::vector<std::string>{"--kvq", "K2V2"});
  }
  static void TearDownTestSuite() { demo_.reset(); }
  void SetUp() override {
    if (demo_ == nullptr) GTEST_SKIP() << "chromium and chromedriver are not here";
  }

  static std::string link(const std::string& rest) {
    return demo_->url() + "/#prompt=Tell+me+about+the+sea." + rest;
  }

  static std::unique_ptr<Demo> demo_;  ///< one for all tests: models take time to load
};
std::unique_ptr<Demo> Page::demo_;

/// What both answers hold: [{same, rest, is_marked, facts}, …].
json answers(const Browser& browser) {
  return browser.ask(R"(
    return [...document.querySelectorAll('.answers > article')].map((node) => ({
      same: node.querySelector('.same').textContent,
      rest: node.querySelector('.rest').textContent,
      is_marked: !node.querySelector('mark').hidden,
      facts: node.querySelector('.facts').textContent,
      is_busy: node.hasAttribute('aria-busy'),
    })))");
}

TEST_F(Page, ALinkAsksBothAndShowsWhereTheyPart) {
  const Browser browser(link("&tokens=48"), 1200, false);
  browser.wait_for(both_done);
  const json both = answers(browser);
  ASSERT_EQ(both.size(), 2U);
  for (const json& answer : both) {
    EXPECT_TRUE(answer.at("is_marked")) << "two bits cannot say the same: " << both;
    EXPECT_NE(answer.at("rest"), "") << both;
    EXPECT_EQ(answer.at("same"), both[0].at("same"));
    EXPECT_NE(answer.at("facts").get<std::string>().find(" tokens, "), std::string::npos) << both;
    EXPECT_FALSE(answer.at("is_busy")) << both;
  }
  EXPECT_NE(both[0].at("rest"), both[1].at("rest"));
  EXPECT_NE(browser.text("#status").find("The answers "), std::string::npos);
  EXPECT_EQ(browser.text(".verdict").find("The answers "), 0U);
  // A mark is also a word for those who hear the page.
  EXPECT_EQ(browser.ask("return document.querySelector('mark .unseen').textContent"),
            " From here the texts differ: ");
  for (const char* const of : {".server-0 [data-of=used]", ".server-1 [data-of=used]"}) {
    EXPECT_NE(browser.text(of).find("of 1,024 tokens"), std::string::npos) << browser.text(of);
    EXPECT_NE(browser.text(of).find("MiB, "), std::string::npos) << browser.text(of);
  }
  EXPECT_NE(browser.text(".server-1 [data-of=decode]").find("tokens/s"), std::string::npos);
  EXPECT_EQ(browser.complaints(), "");
  browser.picture("wide-light.png");
}

TEST_F(Page, OneAloneIsAskedAlone) {
  const Browser browser(link("&tokens=4&mode=1"), 1200, true);
  browser.wait_for("document.querySelector('#status').textContent === 'FP16 is done.'");
  const json one = answers(browser);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_NE(one[0].at("same"), "");
  EXPECT_FALSE(one[0].at("is_marked"));
  EXPECT_EQ(browser.text(".server-0 [data-of=decode]"), "not measured yet");
}

TEST_F(Page, TakesTheKeyboardAlone) {
  const Browser browser(demo_->url(), 1200, false);
  browser.wait_for("!document.querySelector('main').hidden");
  browser.ask("document.querySelector('#tokens').value = 8");
  browser.type(std::string(tab) + enter);  // "Skip to the prompt"
  EXPECT_EQ(browser.ask("return document.activeElement.id"), "prompt");
  browser.type(std::string("Hello there.") + enter);
  browser.wait_for(both_done);
  EXPECT_EQ(browser.text(".asked .prompt"), "Hello there.");
  // A second prompt stands in the same chat, whose cache is fuller.
  EXPECT_EQ(browser.ask("return document.activeElement.id"), "prompt");
  const auto used = [&] {
    return browser.ask("return parseFloat(document.querySelector('.server-1 .used').style.width)")
        .get<double>();
  };
  const double before = used();
  browser.type(std::string("And what else?") + enter);
  browser.wait_for("document.querySelectorAll('#turns > li').length === 2");
  browser.wait_for(both_done);
  EXPECT_GT(used(), before);
  // All that can be pressed or filled in has a name, and what changes is announced.
  EXPECT_EQ(
      browser.ask(R"(return [...document.querySelectorAll('main button, main input, textarea')]
      .filter((node) => !node.labels?.length && !node.textContent.trim()).length)"),
      0);
  EXPECT_EQ(browser.complaints(), "");
}

TEST_F(Page, FitsASmallScreenInTheDark) {
  std::array<std::string, 2> papers;
  for (const bool dark : {false, true}) {
    const Browser browser(link("&tokens=24"), 390, dark);
    browser.wait_for(both_done);
    EXPECT_LE(browser.ask("return document.documentElement.scrollWidth"), 390);
    papers[dark ? 1 : 0] =
        browser.ask("return getComputedStyle(document.documentElement).backgroundColor");
    browser.picture(dark ? "narrow-dark.png" : "narrow-light.png");
  }
  EXPECT_EQ(papers[0], "rgb(255, 255, 255)");
  EXPECT_EQ(papers[1], "rgb(20, 22, 26)");
}

TEST_F(Page, SaysInALineWhatIsWrong) {
  Demo demo({});
  const Browser browser(demo.url(), 390, false);
  browser.wait_for("!document.querySelector('main').hidden");
  // More than the cache holds: the server's own words.
  browser.ask(
      "const prompt = document.querySelector('#prompt');"
      "prompt.value = 'one two '.repeat(1000); prompt.form.requestSubmit()");
  browser.wait_for("document.querySelector('#status').textContent.includes('FP16 failed')");
  EXPECT_NE(browser.text("#notice").find("exceeds the available context size"), std::string::npos)
      << browser.text("#notice");
  // Nobody there.
  demo.program().stop();
  browser.ask(
      "const prompt = document.querySelector('#prompt');"
      "prompt.value = 'Hello?'; prompt.form.requestSubmit()");
  browser.wait_for("document.querySelector('#notice').textContent.includes('no answer')");
  EXPECT_EQ(browser.text("#notice").find('\n'), std::string::npos);
  EXPECT_EQ(browser.ask("return document.querySelector('#send').disabled"), false);
  browser.picture("failed.png");
}

TEST_F(Page, AsksForTheKey) {
  Demo demo({"--api-key", "sesame"});
  const Browser browser(demo.url(), 1200, true);
  browser.wait_for("document.activeElement.id === 'key'");
  EXPECT_EQ(browser.ask("return document.querySelector('main').hidden"), true);
  browser.type(std::string("wrong") + enter);
  browser.wait_for("document.querySelector('#notice').textContent !== ''");
  browser.ask("document.querySelector('#key').value = ''");
  browser.type(std::string("sesame") + enter);
  browser.wait_for("!document.querySelector('main').hidden");
  EXPECT_EQ(browser.text("#notice"), "");
  browser.ask("location.hash = 'prompt=Hello&tokens=4'");
  browser.wait_for(both_done);
  EXPECT_EQ(browser.ask("return localStorage.length"), 0) << "the key is for this tab";
}

}  // namespace
}  // namespace kvsplit::web
