#include "base/system.h"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "support/limits.h"
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

TEST(ReplaceFile, OnAFullDiskAFileIsWhatItWas) {
  const test::TestFolder folder;
  const std::string file = folder / "file";
  test::write_file(file, "old");
  {
    const test::LittleDisk disk(4096);
    EXPECT_FALSE(replace_file(file, std::string(100'000, 'x')));
  }
  EXPECT_EQ(test::contents(file), "old");
  EXPECT_FALSE(std::filesystem::exists(file + ".new")) << "takes room on the full disk";
}

TEST(ReplaceFile, KilledAtAnyTimeItLeavesOldOrNew) {
  const test::TestFolder folder;
  const std::string file = folder / "file";
  const std::array contents = {std::string(1U << 20U, 'a'), std::string((1U << 20U) + 7, 'b')};
  ASSERT_TRUE(replace_file(file, contents[0]));
  for (int time = 0; time < 20; ++time) {
    const pid_t writer = fork();
    for (std::size_t i = 0; writer == 0; i = 1 - i) replace_file(file, contents[i]);
    std::this_thread::sleep_for(std::chrono::microseconds(500 + 977 * time));
    kill(writer, SIGKILL);
    waitpid(writer, nullptr, 0);
    const std::string found = test::contents(file);
    EXPECT_TRUE(found == contents[0] || found == contents[1]) << found.size() << " bytes";
  }
}

TEST(Environment, IsEmptyWhereNothingIsSet) {
  unsetenv("KVSPLIT_TEST_NOTHING");
  EXPECT_EQ(environment("KVSPLIT_TEST_NOTHING"), "");
  setenv("KVSPLIT_TEST_NOTHING", "a", 1);
  EXPECT_EQ(environment("KVSPLIT_TEST_NOTHING"), "a");
}

}  // namespace
}  // namespace kvsplit
