#include "cache/precision.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace kvsplit {
namespace {

constexpr int widths[] = {2, 3, 4, 5, 6, 8, 16};

std::string refusal(const std::string& text) {
  try {
    parse_precision(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Precision, EveryPairOfWidthsIsPrintedAndReadBack) {
  for (const int k_bits : widths) {
    for (const int v_bits : widths) {
      for (const bool rotate : {true, false}) {
        const Precision precision{k_bits, v_bits, rotate};
        EXPECT_EQ(parse_precision(to_string(precision)), precision) << to_string(precision);
      }
    }
  }
}

struct Spelling {
  const char* text;
  Precision precision;
  const char* printed;
};

TEST(Precision, IsReadAsPeopleWriteIt) {
  const Spelling spellings[] = {
      {"K8V4", {8, 4, true}, "K8V4"},
      {"k8v4", {8, 4, true}, "K8V4"},
      {"K16V16", {16, 16, true}, "FP16"},
      {"K16V4", {16, 4, true}, "K16V4"},
      {"8", {8, 8, true}, "K8V8"},
      {"2", {2, 2, true}, "K2V2"},
      {"16", {16, 16, true}, "FP16"},
      {"FP16", {16, 16, true}, "FP16"},
      {"fp16", {16, 16, true}, "FP16"},
      {"f16", {16, 16, true}, "FP16"},
      {"F16", {16, 16, true}, "FP16"},
      {"K4V4:rotate=0", {4, 4, false}, "K4V4:rotate=0"},
      {"K4V4:rotate=1", {4, 4, true}, "K4V4"},
      {"4:rotate=0:rotate=1", {4, 4, true}, "K4V4"},
      {"K4V4:window=28:sinks=4", {4, 4, true, 4, 28}, "K4V4"},
      {"K4V4:window=60:sinks=0", {4, 4, true, 0, 60}, "K4V4:sinks=0:window=60"},
      {"8:window=0", {8, 8, true, 4, 0}, "K8V8:window=0"},
      {"K4V4:plan=a/b.kvplan", {4, 4, true, 4, 28, "a/b.kvplan"}, "K4V4:plan=a/b.kvplan"},
      {"K4V4:layers=2-27", {4, 4, true, 4, 28, "", 2, 27}, "K4V4:layers=2-27"},
      {"K3V8:layers=0", {3, 8, true, 4, 28, "", 0, 0}, "K3V8:layers=0"},
      {"auto", {4, 4, true, 4, 28, "auto"}, "K4V4:plan=auto"},
      {"fp16:rotate=0", {16, 16, false}, "FP16:rotate=0"},
  };
  for (const Spelling& spelling : spellings) {
    EXPECT_EQ(parse_precision(spelling.text), spelling.precision) << spelling.text;
    EXPECT_EQ(to_string(spelling.precision), spelling.printed) << spelling.text;
  }
}

TEST(Precision, IsK8V4WhereNothingIsSaid) { EXPECT_EQ(to_string(Precision{}), "K8V4"); }

TEST(Precision, HasExactRowsWhereThatGainsSomething) {
  for (const char* const text : {"K8V4", "K4V4", "K6V6:window=0", "K2V8:sinks=0"}) {
    EXPECT_TRUE(has_exact_rows(parse_precision(text))) << text;
  }
  for (const char* const text : {"K8V8", "FP16", "K16V4", "K4V4:sinks=0:window=0"}) {
    EXPECT_FALSE(has_exact_rows(parse_precision(text))) << text;
  }
}

struct Refusal {
  const char* text;
  const char* reason;
};

TEST(Precision, ARefusalSaysWhatIsWrong) {
  const Refusal refusals[] = {
      {"", "not a number of bits"},
      {"K", "not a number of bits"},
      {"KV", "not a number of bits"},
      {"q8_0", "not a number of bits"},
      {"-4", "not a number of bits"},
      {" 8", "not a number of bits"},
      {"99999999999999999999", "not a number of bits"},
      {"K8", "V and its bits expected after K's"},
      {"K8K4", "V and its bits expected after K's"},
      {"K8V", "not a number of bits"},
      {"K7V4", "no codec of 7 bits, there are 2, 3, 4, 5, 6, 8 and 16"},
      {"K8V1", "no codec of 1 bits, there are 2, 3, 4, 5, 6, 8 and 16"},
      {"0", "no codec of 0 bits"},
      {"32", "no codec of 32 bits"},
      {"FP32", "no codec of 32 bits"},
      {"FP8", "floating point has 16 bits here"},
      {"K8V4x", "\"x\" not understood"},
      {"K8V4 ", "\" \" not understood"},
      {"8.5", "\".5\" not understood"},
      {"8V4", "\"V4\" not understood"},
      {"K8V4:",
       "unknown setting \"\", there are rotate=0 or 1, sinks=N, window=N, layers=N or N-N, and "
       "plan=FILE or auto"},
      {"K8V4:rotate", "unknown setting \"rotate\""},
      {"K8V4:rotate=2", "unknown setting \"rotate=2\""},
      {"K8V4:rotate=0:", "unknown setting \"\""},
      {"K8V4:window", "unknown setting \"window\""},
      {"K8V4:window=", "sinks and window are numbers of rows"},
      {"K8V4:window=-1", "sinks and window are numbers of rows"},
      {"K8V4:sinks=4x", "sinks and window are numbers of rows"},
      {"K8V4:layers=", "layers is one layer or a range like 2-27"},
      {"K8V4:layers=5-2", "layers is one layer or a range like 2-27"},
      {"K8V4:layers=2-x", "layers is one layer or a range like 2-27"},
      {"K8V4:layers=2-3-4", "layers is one layer or a range like 2-27"},
      {"K8V4:window=60", "5 * sinks + window at most 64"},
      {"K8V4:sinks=13:window=0", "5 * sinks + window at most 64"},
      {"K8V4:sinks=2000000000", "5 * sinks + window at most 64"},
  };
  for (const Refusal& expected : refusals) {
    const std::string message = refusal(expected.text);
    EXPECT_NE(message.find(expected.reason), std::string::npos) << expected.text << ": " << message;
  }
}

TEST(Precision, ARefusalIsOneLineThatRepeatsTheTextAndSaysWhatToWrite) {
  const std::string message = refusal("K9V4");
  EXPECT_EQ(message,
            "precision \"K9V4\": no codec of 9 bits, there are 2, 3, 4, 5, 6, 8 and 16; "
            "write K8V4 (bits of keys and of values), 8 (both), FP16 or auto");
}

}  // namespace
}  // namespace kvsplit
