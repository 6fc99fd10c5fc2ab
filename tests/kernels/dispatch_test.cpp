#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "kernels/attend.h"

// kernels() chooses once in a program's life, so each of these runs in a program of its own.
namespace kvsplit {
namespace {

// Prints the name of the chosen kernels, or the refusal, and exits.
[[noreturn]] void choose(const char* forced) {
  if (forced == nullptr) {
    unsetenv("KVSPLIT_ISA");
  } else {
    setenv("KVSPLIT_ISA", forced, 1);
  }
  try {
    const KernelTable& chosen = kernels();
    std::fprintf(stderr, "chosen: %s.", chosen.name);
  } catch (const Error& error) {
    std::fprintf(stderr, "refused: %s.", error.what());
    std::exit(1);
  }
  std::exit(0);
}

std::string best_name() {
  for (const KernelTable* const table : all_kernels()) {
    if (table->supported()) return table->name;
  }
  return "";
}

class KernelsDeathTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(KernelsDeathTest, TheBestThatTheProcessorHasAreChosen) {
  const std::string expected = "chosen: " + best_name() + "\\.";
  EXPECT_EXIT(choose(nullptr), ::testing::ExitedWithCode(0), expected);
  EXPECT_EXIT(choose(""), ::testing::ExitedWithCode(0), expected);
}

TEST_F(KernelsDeathTest, ForcedOnesRunOrAreRefusedByName) {
  for (const KernelTable* const table : all_kernels()) {
    const std::string name = table->name;
    if (table->supported()) {
      EXPECT_EXIT(choose(table->name), ::testing::ExitedWithCode(0), "chosen: " + name + "\\.");
    } else {
      EXPECT_EXIT(choose(table->name), ::testing::ExitedWithCode(1),
                  "refused: KVSPLIT_ISA=" + name + ": this processor does not have it");
    }
  }
}

TEST_F(KernelsDeathTest, UnknownOnesAreRefusedWithTheNamesThatThereAre) {
  std::string names;
  for (const KernelTable* const table : all_kernels()) {
    names += (names.empty() ? "" : ", ") + std::string(table->name);
  }
  for (const std::string unknown : {"avx", "AVX2", "scalar "}) {
    EXPECT_EXIT(choose(unknown.c_str()), ::testing::ExitedWithCode(1),
                "refused: KVSPLIT_ISA=" + unknown + ": unknown, there are " + names + "\\.");
  }
}

}  // namespace
}  // namespace kvsplit
