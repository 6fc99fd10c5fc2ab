// What goes wrong around a command: no memory, a full disk, a locale. One line says so, the exit
// code is 2, and files are what they were.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/run_program.h"

namespace kvsplit {
namespace {

using test::ProgramResult;
using test::TestFolder;

ProgramResult kvsplit_after(const std::string& shell, const std::string& arguments) {
  return test::run_shell(shell + " '" + test::environment("KVSPLIT_TEST_PROGRAM") + "' " +
                         arguments);
}

std::string text() { return " -f '" KVSPLIT_SOURCE_DIR "/examples/texts/lighthouse.txt'"; }

void expect_one_line(const ProgramResult& result, const std::string& part) {
  EXPECT_EQ(result.exit_code, 2) << result.errors;
  EXPECT_EQ(std::ranges::count(result.errors, '\n'), 1) << result.errors;
  EXPECT_NE(result.errors.find(part), std::string::npos) << result.errors;
}

TEST(Memory, ThatACacheDoesNotFitIntoIsSaidInOneLine) {
#ifndef __linux__
  GTEST_SKIP() << "memory is not limited here";
#endif
  expect_one_line(kvsplit_after("ulimit -v 3000000;",
                                "bench -p 1 -n 0 -r 1 -t 1 -d 500000 --kvq K8V4 --stock none"),
                  "no context of 500001 tokens with cache K8V4: out of memory");
}

/// A limit of the size of files, where writes fail as on a full disk.
TEST(FullDisk, APlanIsWhatItWas) {
  const TestFolder folder;
  const std::string plan = folder / "model.kvplan";
  test::write_file(plan, "an older plan");
  expect_one_line(kvsplit_after("trap '' XFSZ; ulimit -f 64;",
                                "calibrate -c 64 --chunks 1 -t 1 --plan '" + plan + "'" + text()),
                  plan + ": cannot be written");
  EXPECT_EQ(test::contents(plan), "an older plan");
  EXPECT_FALSE(std::filesystem::exists(plan + ".new"));
}

TEST(FullDisk, ResultsAreWhatTheyWere) {
  const TestFolder folder;
  const std::string file = folder / "speed.json";
  test::write_file(file, "[]");
  const ProgramResult result =
      kvsplit_after("trap '' XFSZ; ulimit -f 1;",
                    "bench -p 4 -n 0 -d 0 -r 1 -t 1 --kvq K8V4 --stock none -o '" + file + "'");
  EXPECT_EQ(result.exit_code, 2) << result.errors;
  EXPECT_EQ(test::contents(file), "[]");
  EXPECT_FALSE(std::filesystem::exists(file + ".new"));
}

/// Numbers have points in pages and pictures, whatever the user's language writes.
TEST(Locale, OfCommasChangesNothing) {
  const TestFolder folder;
  const std::string locale = folder / "de_DE.UTF-8";
  if (test::run_shell("command -v gnuplot").exit_code != 0 ||
      test::run_shell("localedef -i de_DE -f UTF-8 '" + locale + "'").exit_code != 0) {
    GTEST_SKIP() << "gnuplot or the locale is not here";
  }
  const std::string sample = KVSPLIT_SOURCE_DIR "/tests/data/results/compare.json";
  const auto made = [&](const std::string& name, const std::string& environment) {
    std::filesystem::create_directory(folder / name);
    const ProgramResult report = kvsplit_after(
        environment, "report '" + sample + "' -o '" + (folder / (name + "/page.html")) + "'");
    EXPECT_EQ(report.exit_code, 0) << report.errors;
    return test::contents(folder / (name + "/page.html")) +
           test::contents(folder / (name + "/page-pareto.svg"));
  };
  const std::string plain = made("plain", "LC_ALL=C");
  EXPECT_NE(plain.find("<svg"), std::string::npos);
  EXPECT_EQ(made("german", "LOCPATH='" + (folder / "") + "' LC_ALL=de_DE.UTF-8"), plain);
}

}  // namespace
}  // namespace kvsplit
