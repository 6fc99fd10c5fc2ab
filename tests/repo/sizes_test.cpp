// Small is a number: how long a file, a room and the product may be.
#include <gtest/gtest.h>

#include "repo/source_tree.h"

namespace kvsplit::repo {
namespace {

constexpr std::size_t file_lines = 500;
constexpr std::size_t plugin_lines = 800;
constexpr std::size_t product_lines = 10545;
constexpr std::size_t line_columns = 100;

/// Lines with code on them: blank lines and lines of comment alone cost a reader nothing.
std::size_t code_lines(const std::vector<SourceFile>& files, std::string_view folder) {
  std::size_t sum = 0;
  for (const SourceFile& file : files) {
    if (!file.is_in(folder)) continue;
    for (const std::string& line : file.lines) {
      const std::size_t first = line.find_first_not_of(" \t");
      if (first != std::string::npos && line.compare(first, 2, "//") != 0) ++sum;
    }
  }
  return sum;
}

std::vector<std::string> long_files(const std::vector<SourceFile>& files) {
  std::vector<std::string> complaints;
  for (const SourceFile& file : files) {
    if (file.lines.size() <= file_lines) continue;
    complaints.push_back(file.path + ": " + std::to_string(file.lines.size()) + " lines");
  }
  return complaints;
}

/// Characters, not bytes: continuation bytes of UTF-8 (10xxxxxx) do not count.
std::size_t columns_of(const std::string& line) {
  return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::vector<std::string> long_lines(const std::vector<SourceFile>& files) {
  std::vector<std::string> complaints;
  for (const SourceFile& file : files) {
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      if (columns_of(file.lines[i]) <= line_columns) continue;
      complaints.push_back(file.path + ":" + std::to_string(i + 1));
    }
  }
  return complaints;
}

/// Those of kernels/generic/ and kernels/simd/ are pieces of one instruction set's source file.
std::vector<std::string> headers_without_guard(const std::vector<SourceFile>& files) {
  std::vector<std::string> complaints;
  for (const SourceFile& file : files) {
    if (!file.path.ends_with(".h") || file.is_in("src/kernels/generic/") ||
        file.is_in("src/kernels/simd/")) {
      continue;
    }
    if (std::find(file.lines.begin(), file.lines.end(), "#pragma once") != file.lines.end())
      continue;
    complaints.push_back(file.path);
  }
  return complaints;
}

TEST(Sizes, NoFileIsLong) {
  EXPECT_EQ(long_files({{"src/a.h", std::vector<std::string>(file_lines + 1)}}).size(), 1U);
  EXPECT_EQ(long_files({{"src/a.h", std::vector<std::string>(file_lines)}}).size(), 0U);

  const std::vector<std::string> found = long_files(read_sources({"src", "tests", "bench"}));
  EXPECT_TRUE(found.empty()) << "more than " << file_lines << joined(found);
}

TEST(Sizes, NoLineIsLong) {
  std::string umlauts;
  for (std::size_t i = 0; i < line_columns; ++i) umlauts += "ä";
  EXPECT_EQ(long_lines({{"src/a.h", {umlauts}}}).size(), 0U);
  EXPECT_EQ(long_lines({{"src/a.h", {umlauts + "x"}}}).size(), 1U);

  const std::vector<std::string> found = long_lines(read_sources({"src", "tests", "bench"}));
  EXPECT_TRUE(found.empty()) << "more than " << line_columns << " columns" << joined(found);
}

TEST(Sizes, TheGlueIsThin) {
  EXPECT_EQ(code_lines({{"src/plugin/a.h", {"int a;", "", "  // why", "  int b;"}}}, "src/plugin/"),
            2U);
  EXPECT_LE(code_lines(read_sources({"src"}), "src/plugin/"), plugin_lines);
}

TEST(Sizes, TheProductIsSmall) {
  const std::size_t lines = code_lines(read_sources({"src"}), "src/");
  EXPECT_GT(lines, 100U);
  EXPECT_LE(lines, product_lines);
}

TEST(Headers, AreIncludedOnce) {
  EXPECT_EQ(headers_without_guard({{"src/a.h", {"int a();"}}}).size(), 1U);

  const std::vector<std::string> found =
      headers_without_guard(read_sources({"src", "tests", "bench"}));
  EXPECT_TRUE(found.empty()) << joined(found);
}

}  // namespace
}  // namespace kvsplit::repo
