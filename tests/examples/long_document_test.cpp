// examples/long-document, with a short document.
#include <regex>

#include "tests/programs/stock.h"

namespace kvsplit::programs {
namespace {

TEST(LongDocument, AShortOneIsReadAndAnswered) {
  const Result result = run({.arguments = {KVSPLIT_SOURCE_DIR "/examples/long-document/ask",
                                           "--short", "--", "--threads", "1"},
                             .environment = own_build()});
  ASSERT_EQ(result.exit_code, 0) << result.all();
  // Twice: with the packed cache and with 16 bits.
  const std::regex answer("Answer: The Hatter lived at number (forty-seven|47)");
  const std::string& text = result.output;
  EXPECT_EQ(
      std::distance(std::sregex_iterator(text.begin(), text.end(), answer), std::sregex_iterator()),
      2)
      << result.all();
  std::smatch tokens;
  ASSERT_TRUE(std::regex_search(text, tokens, std::regex("([0-9]+) tokens read in [0-9]+ s")));
  EXPECT_GT(std::stoi(tokens[1]), 1800);
  EXPECT_TRUE(std::regex_search(
      text, std::regex(R"(K8V4 cache of .*, FP16 would have taken .* \(2\.[0-9] times)")))
      << text;
}

TEST(LongDocument, AnUnknownWordIsNamed) {
  const Result result =
      run({.arguments = {KVSPLIT_SOURCE_DIR "/examples/long-document/ask", "--long"},
           .environment = own_build()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.log.find("--long"), std::string::npos) << result.all();
}

}  // namespace
}  // namespace kvsplit::programs
