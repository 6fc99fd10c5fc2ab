// What `make install` lays down, after it has been moved to another place: it runs, finds its own
// files there, and its pages, completions and descriptions for other builds agree with it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "support/run_program.h"

namespace kvsplit {
namespace {

namespace fs = std::filesystem;
using test::ProgramResult;
using test::TestFolder;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool is_there(const std::string& program) {
  return test::run_shell("command -v " + program).exit_code == 0;
}

/// A tree installed into one place and then moved to another, whose name has a blank.
class Installed : public testing::Test {
 protected:
  void SetUp() override {
    const std::string build = fs::path(test::environment("KVSPLIT_TEST_PROGRAM")).parent_path();
    const ProgramResult result = test::run_shell("DESTDIR= cmake --install '" + build +
                                                 "' --prefix '" + (folder_ / "first") + "'");
    ASSERT_EQ(result.exit_code, 0) << result.output << result.errors;
    fs::rename(folder_ / "first", folder_ / "moved here");
  }

  std::string in_tree(const std::string& path) const { return folder_ / ("moved here/" + path); }

  ProgramResult kvsplit(const std::string& arguments) const {
    return test::run_shell("unset KVSPLIT_LLAMA_BIN; '" + in_tree("bin/kvsplit") + "' " +
                           arguments);
  }

  static std::string tiny_model() {
    return "'" + test::environment("KVSPLIT_TEST_DATA") + "/models/llama-head64.gguf'";
  }

  /// The commands that --help lists.
  std::vector<std::string> commands() const {
    std::istringstream lines(kvsplit("--help").output);
    std::vector<std::string> names;
    bool is_list = false;
    for (std::string line; std::getline(lines, line);) {
      if (line.ends_with(":")) is_list = contains(line, "ubcommands") || contains(line, "SUBCOMM");
      if (!is_list || !line.starts_with("  ") || line.starts_with("   ")) continue;
      names.push_back(line.substr(2, line.find(' ', 2) - 2));
    }
    EXPECT_GE(names.size(), 10U);
    return names;
  }

  TestFolder folder_;
};

TEST_F(Installed, RunsWhereItWasMovedTo) {
  const ProgramResult version = kvsplit("--version");
  EXPECT_TRUE(version.output.starts_with("kvsplit ")) << version.output << version.errors;
  const ProgramResult info = kvsplit("info -m " + tiny_model());
  EXPECT_EQ(info.exit_code, 0) << info.errors;
  EXPECT_TRUE(contains(info.output, "K8V4")) << info.output;
}

TEST_F(Installed, FindsEverythingInItsOwnTree) {
  const std::string script = "echo \"$GGML_BACKEND_PATH\"; command -v llama-server";
  EXPECT_EQ(kvsplit("exec -- sh -c '" + script + "'").output,
            in_tree("lib/kvsplit/libggml-kvsplit.so") + "\n" + in_tree("lib/kvsplit/llama-server") +
                "\n");
  EXPECT_TRUE(contains(kvsplit("pull --list").output, "smollm2-135m"));
  EXPECT_TRUE(contains(kvsplit("plan -m " + tiny_model()).output, "Ollama"));
  for (const char* const part : {"web/index.html", "web/style.css", "web/demo.js",
                                 "share/report/charts.gp", "share/report/page.html"}) {
    EXPECT_TRUE(fs::exists(in_tree(std::string("share/kvsplit/") + part))) << part;
  }
  // An empty text is refused by its name.
  const std::string text = in_tree("share/kvsplit/examples/texts/lighthouse.txt");
  ASSERT_TRUE(fs::exists(text));
  test::write_file(text, "");
  const ProgramResult refusal = kvsplit("perplexity -m " + tiny_model());
  EXPECT_TRUE(contains(refusal.errors, text + ": empty")) << refusal.errors;
  if (!is_there("ldd")) GTEST_SKIP() << "which libraries are loaded: there is no ldd";
  for (const char* const program : {"kvsplit", "llama-server", "llama-completion"}) {
    std::istringstream lines(
        test::run_shell("ldd '" + in_tree(std::string("lib/kvsplit/") + program) + "'").output);
    int n_ours = 0;
    for (std::string line; std::getline(lines, line);) {
      if (!contains(line, "libllama") && !contains(line, "libggml")) continue;
      EXPECT_TRUE(contains(line, folder_ / "moved here")) << program << ": " << line;
      ++n_ours;
    }
    EXPECT_GT(n_ours, 2) << program;
  }
}

TEST_F(Installed, RunsStockProgramsWithThePackedCache) {
  const ProgramResult result =
      kvsplit("exec --kvq K8V4 -- llama-bench -m " + tiny_model() + " -p 8 -n 2 -r 1");
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(contains(result.errors, "kvsplit: K8V4 cache of ")) << result.errors;
}

TEST_F(Installed, HasAManPageForEveryCommand) {
  const std::string pages = in_tree("share/man/man1/kvsplit");
  const std::string main_page = test::contents(pages + ".1");
  for (const std::string& command : commands()) {
    const std::string page = test::contents(pages + "-" + command + ".1");
    EXPECT_TRUE(contains(page, ".SH EXAMPLE\n.nf\nkvsplit " + command)) << command << page;
    EXPECT_TRUE(contains(main_page, "kvsplit\\-" + command)) << command;
  }
  EXPECT_TRUE(contains(test::contents(pages + "-compare.1"), "\\fB\\-\\-max\\-kl\\fR"));
  if (!is_there("mandoc")) GTEST_SKIP() << "their form: there is no mandoc";
  const ProgramResult lint = test::run_shell("mandoc -T lint -W error '" + pages + "'*.1");
  EXPECT_EQ(lint.exit_code, 0) << lint.output;
}

TEST_F(Installed, BashCompletesCommandsOptionsAndPrecisions) {
  const auto completed = [&](const std::string& words) {
    // Words as bash would have split them; the last one is being completed.
    return test::run_shell("bash -c 'source \"$0\"; COMP_WORDS=(" + words +
                           "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _kvsplit; "
                           "echo \"${COMPREPLY[@]}\"' '" +
                           in_tree("share/bash-completion/completions/kvsplit") + "'")
        .output;
  };
  for (const std::string& command : commands()) {
    EXPECT_EQ(completed("kvsplit " + command), command + "\n");
    EXPECT_TRUE(contains(completed("kvsplit " + command + " --h"), "--help")) << command;
  }
  EXPECT_EQ(completed("kvsplit compare --max"), "--max-kl\n");
  EXPECT_EQ(completed("kvsplit serve --kvq K8"), "K8V4\n");
  EXPECT_EQ(completed("kvsplit compare --nosuch"), "\n");
}

TEST_F(Installed, OtherShellsReadTheirCompletions) {
  const std::string zsh = in_tree("share/zsh/site-functions/_kvsplit");
  const std::string fish = in_tree("share/fish/vendor_completions.d/kvsplit.fish");
  for (const std::string& command : commands()) {
    EXPECT_TRUE(contains(test::contents(zsh), "    '" + command + ":")) << command;
    EXPECT_TRUE(contains(test::contents(fish), " -a " + command + " ")) << command;
  }
  if (is_there("zsh")) {
    EXPECT_EQ(test::run_shell("zsh -n '" + zsh + "'").exit_code, 0);
  }
  if (!is_there("fish")) GTEST_SKIP() << "there is no fish";
  const ProgramResult result = test::run_shell("HOME='" + (folder_ / "home") +
                                               "' fish -c 'source $argv[1]; complete -C "
                                               "\"kvsplit compare --max\"' '" +
                                               fish + "'");
  EXPECT_TRUE(result.output.starts_with("--max-kl")) << result.output << result.errors;
}

TEST_F(Installed, PkgConfigFindsThePlugin) {
  if (!is_there("pkg-config")) GTEST_SKIP() << "there is no pkg-config";
  const auto ask = [&](const std::string& what) {
    std::string answer = test::run_shell("PKG_CONFIG_PATH='" + in_tree("share/pkgconfig") +
                                         "' pkg-config " + what + " kvsplit")
                             .output;
    while (!answer.empty() && std::isspace(answer.back()) != 0) answer.pop_back();
    std::erase(answer, '\\');  // it writes a blank as a shell would
    return answer;
  };
  EXPECT_TRUE(fs::equivalent(ask("--variable=plugin"), in_tree("lib/kvsplit/libggml-kvsplit.so")));
  const std::string version = kvsplit("--version").output;
  EXPECT_TRUE(version.starts_with("kvsplit " + ask("--modversion") + " ")) << version;
  EXPECT_TRUE(contains(version, "(ggml " + ask("--variable=ggml_version") + ")")) << version;
}

TEST_F(Installed, CMakeFindsThePlugin) {
  fs::create_directory(folder_ / "project");
  test::write_file(folder_ / "project/CMakeLists.txt",
                   "cmake_minimum_required(VERSION 3.22)\n"
                   "project(other LANGUAGES NONE)\n"
                   "find_package(kvsplit 0.1 REQUIRED CONFIG)\n"
                   "message(STATUS \"${kvsplit_PLUGIN}|${kvsplit_GGML_VERSION}|\")\n");
  const ProgramResult result =
      test::run_shell("cmake -S '" + (folder_ / "project") + "' -B '" +
                      (folder_ / "project/build") + "' '-DCMAKE_PREFIX_PATH=" + in_tree("") + "'");
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(contains(result.output, in_tree("lib/kvsplit/libggml-kvsplit.so|"))) << result.output;
}

TEST(Install, HonoursDestdir) {
  const TestFolder folder;
  const std::string build = fs::path(test::environment("KVSPLIT_TEST_PROGRAM")).parent_path();
  const ProgramResult result =
      test::run_shell("DESTDIR='" + (folder / "stage") + "' cmake --install '" + build +
                      "' --prefix /opt/kvsplit-test");
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_FALSE(fs::exists("/opt/kvsplit-test"));
  const std::string program = folder / "stage/opt/kvsplit-test/bin/kvsplit";
  EXPECT_EQ(fs::read_symlink(program), "../lib/kvsplit/kvsplit");
  EXPECT_EQ(test::run_shell("'" + program + "' --version").exit_code, 0);
}

TEST(Recipes, AreWellFormed) {
  const std::string folder = KVSPLIT_SOURCE_DIR "/packaging";
  EXPECT_EQ(test::run_shell("bash -n '" + folder + "/arch/PKGBUILD'").exit_code, 0);
  if (!is_there("ruby")) GTEST_SKIP() << "the Homebrew formula: there is no ruby";
  EXPECT_EQ(test::run_shell("ruby -c '" + folder + "/homebrew/kvsplit.rb'").exit_code, 0);
}

}  // namespace
}  // namespace kvsplit
