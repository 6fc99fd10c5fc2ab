#include "cli/arguments.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "cli/launch.h"

namespace kvsplit::cli {
namespace {

using Strings = std::vector<std::string>;

void expect_split(const Strings& arguments, const Strings& own, const Strings& handed_on) {
  const SplitArguments split = split_arguments(arguments);
  EXPECT_EQ(split.own, own);
  EXPECT_EQ(split.handed_on, handed_on);
}

TEST(SplitArguments, LeavesOtherCommandsAlone) {
  const Strings compare = {"compare", "-m", "x", "--kvq", "K8V4"};
  expect_split(compare, compare, {});
  expect_split({}, {}, {});
}

TEST(SplitArguments, TakesOursFromAnywhereAmongThoseOfATool) {
  expect_split({"run", "-m", "x", "--kvq", "K8V4", "-n", "9", "--kvq-key=8", "--meter"},
               {"run", "--kvq", "K8V4", "--kvq-key=8", "--meter"}, {"-m", "x", "-n", "9"});
  expect_split({"serve", "--weights-on", "CUDA0"}, {"serve", "--weights-on", "CUDA0"}, {});
}

TEST(SplitArguments, LeavesToTheToolWhatFollowsTheDashes) {
  expect_split({"run", "--kvq", "8", "--", "--help", "--kvq"}, {"run", "--kvq", "8"},
               {"--help", "--kvq"});
}

TEST(SplitArguments, StopsAtTheProgramOfExec) {
  const Strings own = {"exec", "--kvq", "8"};
  const Strings program = {"llama-cli", "-m", "x", "--kvq", "5"};
  expect_split({"exec", "--kvq", "8", "llama-cli", "-m", "x", "--kvq", "5"}, own, program);
  expect_split({"exec", "--kvq", "8", "--", "llama-cli", "-m", "x", "--kvq", "5"}, own, program);
}

TEST(SplitArguments, LeavesUnknownOptionsOfExecToBeRefused) {
  expect_split({"exec", "--nosuch", "--", "llama-cli"}, {"exec", "--nosuch"}, {"llama-cli"});
}

TEST(Options, AreFoundInEverySpelling) {
  EXPECT_EQ(given({"-m", "x", "-ngl", "9"}, {"-ngl", "--gpu-layers"}), "9");
  EXPECT_EQ(given({"--gpu-layers=9"}, {"-ngl", "--gpu-layers"}), "9");
  EXPECT_FALSE(given({"-n", "9"}, {"-ngl", "--gpu-layers"}));
  EXPECT_EQ(given({"--rpc", "a:1", "--rpc=b:2"}, {"--rpc"}), "b:2");
  EXPECT_EQ(given({"--rpc"}, {"--rpc"}), "");
  setenv("KVSPLIT_TEST_GIVEN", "5", 1);
  EXPECT_EQ(given({}, {"-ngl"}, "KVSPLIT_TEST_GIVEN"), "5");
  EXPECT_EQ(given({"-ngl", "9"}, {"-ngl"}, "KVSPLIT_TEST_GIVEN"), "9");
}

LaunchOptions with(const Strings& arguments) {
  LaunchOptions options;
  options.arguments = arguments;
  return options;
}

TEST(PluginArguments, AreAddedBehindThoseOfTheUser) {
  EXPECT_EQ(with_plugin_arguments("llama-server", with({"-m", "x"})),
            (Strings{"-m", "x", "-dev", "KVSPLIT", "-ngl", "99", "-fa", "on"}));
  EXPECT_EQ(with_plugin_arguments("llama-bench", with({})),
            (Strings{"-dev", "KVSPLIT", "-ngl", "99", "-fa", "1"}));
}

TEST(PluginArguments, GiveWayToThoseOfTheUser) {
  const Strings all = {"--device", "KVSPLIT,CUDA0", "--n-gpu-layers", "20", "--flash-attn", "auto"};
  EXPECT_EQ(with_plugin_arguments("llama-cli", with(all)), all);
  EXPECT_EQ(with_plugin_arguments("llama-cli", with({"--gpu-layers", "3", "-fa", "on"})),
            (Strings{"--gpu-layers", "3", "-fa", "on", "-dev", "KVSPLIT"}));
}

TEST(PluginArguments, AreThoseThatTheProgramTakes) {
  EXPECT_EQ(with_plugin_arguments("ggml-rpc-server", with({"-p", "50052"})),
            (Strings{"-p", "50052", "-d", "KVSPLIT"}));
  EXPECT_EQ(with_plugin_arguments("python3", with({"chat.py"})), (Strings{"chat.py"}));
}

TEST(PluginArguments, PutWeightsOnAnotherDevice) {
  LaunchOptions options = with({"-m", "x"});
  options.weights_on = "CPU";  // the one device that every machine has
  EXPECT_EQ(with_plugin_arguments("llama-cli", options),
            (Strings{"-m", "x", "-dev", "KVSPLIT,CPU", "-ts", "1,0", "-ot", ".*=CPU", "-ngl", "99",
                     "-fa", "on"}));
  EXPECT_EQ(with_plugin_arguments("llama-bench", options),
            (Strings{"-m", "x", "-dev", "KVSPLIT/CPU", "-ts", "1/0", "-ot", ".*=CPU", "-ngl", "99",
                     "-fa", "1"}));
  options.arguments = {"-dev", "CUDA0"};
  EXPECT_THROW(with_plugin_arguments("llama-cli", options), Error);
}

}  // namespace
}  // namespace kvsplit::cli
