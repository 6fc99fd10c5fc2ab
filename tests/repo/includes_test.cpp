// Who may look into which room. Every rule is a function from sources to complaints, and is first
// shown to complain about a file that breaks it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <regex>

#include "repo/source_tree.h"

namespace kvsplit::repo {
namespace {

/// From the bottom up: a room includes itself and what stands before it.
constexpr std::array<std::string_view, 10> rooms = {"base", "kernels", "codec", "cache",  "plugin",
                                                    "host", "measure", "tune",  "report", "cli"};

int rank_of(std::string_view room) {
  const auto* const found = std::find(rooms.begin(), rooms.end(), room);
  return found == rooms.end() ? -1 : static_cast<int>(found - rooms.begin());
}

/// "src/cache/plan.h" → "cache"
std::string room_of(const SourceFile& file) {
  const std::size_t first = file.path.find('/') + 1;
  return file.path.substr(first, file.path.find('/', first) - first);
}

bool is_public_ggml(std::string_view name) {
  return name.starts_with("ggml") && name.find("impl") == std::string_view::npos;
}
bool is_internal_ggml(std::string_view name) {
  return name.starts_with("ggml") && !is_public_ggml(name);
}

bool is_intrinsics(std::string_view name) {
  constexpr std::array<std::string_view, 4> names = {"immintrin.h", "x86intrin.h", "arm_neon.h",
                                                     "arm_sve.h"};
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> unknown_rooms(const std::vector<SourceFile>& files) {
  std::vector<std::string> complaints;
  for (const SourceFile& file : files) {
    if (rank_of(room_of(file)) < 0) complaints.push_back(file.path + ": in no room of the list");
  }
  return complaints;
}

std::vector<std::string> upward_includes(const std::vector<SourceFile>& files) {
  std::vector<std::string> complaints;
  for (const SourceFile& file : files) {
    for (const std::string& name : includes_of(file)) {
      const int wanted = rank_of(name.substr(0, name.find('/')));
      if (name.starts_with(".")) {
        complaints.push_back(file.path + ": " + name + ", expected a path from src/");
      } else if (wanted > rank_of(room_of(file))) {
        complaints.push_back(file.path + ": looks up, into " + name);
      }
    }
  }
  return complaints;
}

/// The heart knows no host, report/ knows results but no models, and ggml's insides are plugin/'s.
std::vector<std::string> foreign_headers(const std::vector<SourceFile>& files) {
  std::vector<std::string> complaints;
  for (const SourceFile& file : files) {
    const std::string room = room_of(file);
    const int rank = rank_of(room);
    for (const std::string& name : includes_of(file)) {
      const bool host_is_hidden = rank < rank_of("plugin") || room == "report";
      const bool refused =
          (is_internal_ggml(name) && room != "plugin") ||
          (is_public_ggml(name) && host_is_hidden) ||
          (name == "llama.h" && (host_is_hidden || room == "plugin")) ||
          (is_intrinsics(name) && room != "kernels") ||
          (room == "report" && (name.starts_with("host/") || name.starts_with("plugin/")));
      if (refused) complaints.push_back(file.path + ": " + name + " is not for this room");
    }
  }
  return complaints;
}

/// Intrinsics by their look: _mm256_add_ps, __m512i, float32x4_t.
std::vector<std::string> intrinsics_outside_simd(const std::vector<SourceFile>& files) {
  static const std::regex intrinsic(
      R"(\b(_mm\d*_\w+|__m(128|256|512)\w?|(u?int|float)\d+x\d+_t)\b)");
  std::vector<std::string> complaints;
  for (const SourceFile& file : files) {
    if (file.is_in("src/kernels/simd/")) continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      std::smatch match;
      if (!std::regex_search(file.lines[i], match, intrinsic)) continue;
      complaints.push_back(file.path + ":" + std::to_string(i + 1) + ": " + match.str());
    }
  }
  return complaints;
}

SourceFile example(const std::string& path, const std::string& line) { return {path, {line}}; }

TEST(Includes, OnlyGoDown) {
  EXPECT_EQ(
      upward_includes({example("src/cache/plan.h", "#include \"codec/row_format.h\"")}).size(), 0U);
  EXPECT_EQ(upward_includes({example("src/cache/plan.h", "#include \"plugin/plugin.h\"")}).size(),
            1U);
  EXPECT_EQ(upward_includes({example("src/base/a.h", "#  include \"kernels/kernels.h\"")}).size(),
            1U);
  EXPECT_EQ(upward_includes({example("src/host/a.h", "#include \"../cli/command.h\"")}).size(), 1U);

  const std::vector<std::string> found = upward_includes(read_sources({"src"}));
  EXPECT_TRUE(found.empty()) << joined(found);
}

TEST(Includes, ForeignHeadersStayInTheirRooms) {
  const std::vector<SourceFile> broken = {
      example("src/cache/plan.h", "#include <ggml.h>"),
      example("src/host/context.cpp", "#include \"ggml-backend-impl.h\""),
      example("src/plugin/graph.cpp", "#include <llama.h>"),
      example("src/cache/attention.cpp", "#include <immintrin.h>"),
      example("src/report/table.h", "#include \"host/model.h\"")};
  EXPECT_EQ(foreign_headers(broken).size(), broken.size());
  EXPECT_EQ(foreign_headers({example("src/kernels/simd/avx2.h", "#include <immintrin.h>"),
                             example("src/plugin/graph.cpp", "#include <ggml-impl.h>"),
                             example("src/host/model.h", "#include <llama.h>")})
                .size(),
            0U);

  const std::vector<std::string> found = foreign_headers(read_sources({"src"}));
  EXPECT_TRUE(found.empty()) << joined(found);
}

TEST(Includes, IntrinsicsStayUnderSimd) {
  EXPECT_EQ(intrinsics_outside_simd({example("src/kernels/avx2.cpp", "  __m256i x;"),
                                     example("src/base/half.h", "f(_mm_cvtph_ps(v));"),
                                     example("src/kernels/generic/score.h", "float32x4_t sum;")})
                .size(),
            3U);

  const std::vector<std::string> found = intrinsics_outside_simd(read_sources({"src"}));
  EXPECT_TRUE(found.empty()) << joined(found);
}

TEST(Includes, EverySourceIsInARoom) {
  EXPECT_EQ(unknown_rooms({example("src/utils/misc.h", "")}).size(), 1U);

  const std::vector<SourceFile> files = read_sources({"src"});
  EXPECT_GT(files.size(), 10U);
  const std::vector<std::string> found = unknown_rooms(files);
  EXPECT_TRUE(found.empty()) << joined(found);
}

}  // namespace
}  // namespace kvsplit::repo
