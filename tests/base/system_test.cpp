#include "base/system.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "support/run_program.h"

namespace kvsplit {
namespace {

TEST(ReplaceFile, GivesAFileNewContent) {
  const test::TestFolder folder;
  const std::string file = folder / "file";
  EXPECT_TRUE(replace_file(file, "old, and longer"));
  EXPECT_TRUE(replace_file(file, "new"));
  EXPECT_EQ(test::contents(file), "new");
  EXPECT_FALSE(std::filesystem::exists(file + ".new"));
}

TEST(ReplaceFile, WhatCannotBeWrittenIsWhatItWas) {
  const test::TestFolder folder;
  EXPECT_FALSE(replace_file(folder / "missing/file", "new"));
  // A folder in the way of the unfinished file, as a full disk would be.
  const std::string file = folder / "file";
  test::write_file(file, "old");
  std::filesystem::create_directories(file + ".new/in the way");
  EXPECT_FALSE(replace_file(file, "new"));
  EXPECT_EQ(test::contents(file), "old");
}

TEST(Environment, IsEmptyWhereNothingIsSet) {
  unsetenv("KVSPLIT_TEST_NOTHING");
  EXPECT_EQ(environment("KVSPLIT_TEST_NOTHING"), "");
  setenv("KVSPLIT_TEST_NOTHING", "a", 1);
  EXPECT_EQ(environment("KVSPLIT_TEST_NOTHING"), "a");
}

}  // namespace
}  // namespace kvsplit
