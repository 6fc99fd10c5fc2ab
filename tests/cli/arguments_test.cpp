#include "cli/arguments.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "cli/launch.h"

namespace kvsplit::cli {
namespace {

using Strings = std::vector<std::string>;

TEST(OwnOptionsFirst, LeavesOtherCommandsAlone) {
  const Strings compare = {"compare", "-m", "x", "--kvq", "K8V4"};
  EXPECT_EQ(own_options_first(compare), compare);
  EXPECT_EQ(own_options_first({}), Strings{});
}

TEST(OwnOptionsFirst, TakesThemFromAnywhereAmongThoseOfATool) {
  EXPECT_EQ(own_options_first({"run", "-m", "x", "--kvq", "K8V4", "-n", "9", "--kvq-key=8"}),
            (Strings{"run", "--kvq", "K8V4", "--kvq-key=8", "--", "-m", "x", "-n", "9"}));
  EXPECT_EQ(own_options_first({"serve", "--weights-on", "CUDA0"}),
            (Strings{"serve", "--weights-on", "CUDA0"}));
}

TEST(OwnOptionsFirst, LeavesToTheToolWhatFollowsTheDashes) {
  EXPECT_EQ(own_options_first({"run", "--kvq", "8", "--", "--help", "--kvq"}),
            (Strings{"run", "--kvq", "8", "--", "--help", "--kvq"}));
}

TEST(OwnOptionsFirst, StopsAtTheProgramOfExec) {
  const Strings expected = {"exec", "--kvq", "8", "--", "llama-cli", "-m", "x", "--kvq", "5"};
  EXPECT_EQ(own_options_first({"exec", "--kvq", "8", "llama-cli", "-m", "x", "--kvq", "5"}),
            expected);
  EXPECT_EQ(own_options_first({"exec", "--kvq", "8", "--", "llama-cli", "-m", "x", "--kvq", "5"}),
            expected);
}

TEST(OwnOptionsFirst, LeavesUnknownOptionsOfExecToBeRefused) {
  EXPECT_EQ(own_options_first({"exec", "--nosuch", "--", "llama-cli"}),
            (Strings{"exec", "--nosuch", "--", "llama-cli"}));
}

TEST(Options, AreFoundInEverySpelling) {
  EXPECT_TRUE(has_option({"-m", "x", "-ngl", "9"}, {"-ngl", "--gpu-layers"}));
  EXPECT_TRUE(has_option({"--gpu-layers=9"}, {"-ngl", "--gpu-layers"}));
  EXPECT_FALSE(has_option({"-n", "9"}, {"-ngl", "--gpu-layers"}));
  EXPECT_EQ(option_value({"--rpc", "a:1", "--rpc=b:2"}, {"--rpc"}), "b:2");
  EXPECT_EQ(option_value({"--rpc"}, {"--rpc"}), "");
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
