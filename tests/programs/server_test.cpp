// Stock llama-server with the plugin: many at once, slots on disk, endless text, a draft model.
#include "tests/programs/server.h"

#include <future>

namespace kvsplit::programs {
namespace {

constexpr int n_tokens = 16;

std::vector<std::string> prompts() {
  return {
      "The capital of France is",
      "Water boils at a temperature of",
      "Once upon a time, there was a little girl who lived in a village near the forest.",
      "The three primary colors are red,",
      "def fibonacci(n):\n    if n < 2:\n        return n\n",
      "The first president of the United States was",
      "In 1969, Neil Armstrong became the first person to",
      "A recipe for bread needs flour, water, salt and",
  };
}

/// Eight requests one after the other, then all at once: nobody notices the neighbours.
void expect_the_same_alone_and_together(const std::string& stream_layout) {
  const Plugin plugin("K8V4");
  Server server(plugin, {"-c", "2048", "--parallel", "8", stream_layout, "--cache-ram", "0"});
  std::vector<std::string> alone;
  for (const std::string& prompt : prompts()) {
    alone.push_back(server.complete(prompt, n_tokens));
    EXPECT_FALSE(alone.back().empty()) << prompt;
  }
  std::vector<std::future<std::string>> together;
  for (const std::string& prompt : prompts()) {
    together.push_back(std::async(std::launch::async,
                                  [&server, prompt] { return server.complete(prompt, n_tokens); }));
  }
  for (std::size_t i = 0; i < together.size(); ++i) {
    EXPECT_EQ(together[i].get(), alone[i]) << prompts()[i];
  }
  plugin.expect_cache();
}

TEST(Server, ConcurrentRequestsInOneStreamAreLikeSingleOnes) {
  expect_the_same_alone_and_together("--kv-unified");
}

TEST(Server, ConcurrentRequestsInStreamsOfTheirOwnAreLikeSingleOnes) {
  expect_the_same_alone_and_together("--no-kv-unified");
}

nlohmann::json continued(const std::string& prompt) {
  nlohmann::json request = greedy(prompt, n_tokens);
  request["cache_prompt"] = true;
  request["id_slot"] = 0;
  return request;
}

TEST(Server, ASavedSlotGoesOnAfterARestartAndIsRefusedAtAnotherPrecision) {
  const TemporaryFolder slots;
  const std::vector<std::string> arguments = {
      "-c", "1024", "--parallel", "2", "--slot-save-path", slots.path().string() + "/"};
  const std::string prompt = prompts()[2] + " She had a red cap, and every day she walked to";
  const nlohmann::json file = {{"filename", "slot.bin"}};
  std::string expected;
  {
    const Plugin plugin("K8V4");
    Server server(plugin, arguments);
    expected = server.post("/completion", continued(prompt)).body.value("content", "");
    ASSERT_FALSE(expected.empty());
    const Response saved = server.post("/slots/0?action=save", file);
    ASSERT_EQ(saved.status, 200) << saved.body;
    EXPECT_GT(saved.body.at("n_saved"), 0);
    plugin.expect_cache();
  }
  {
    const Plugin plugin("K8V4");
    Server server(plugin, arguments);
    const Response restored = server.post("/slots/0?action=restore", file);
    ASSERT_EQ(restored.status, 200) << restored.body;
    const Response response = server.post("/completion", continued(prompt));
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.body.at("content"), expected);
    EXPECT_LE(response.body.at("timings").at("prompt_n"), 1) << "the slot was not used";
  }
  const Plugin plugin("K4V4");
  Server server(plugin, arguments);
  const Response restored = server.post("/slots/0?action=restore", file);
  if (restored.status == 200) {  // the host cannot be told; but nobody may read those rows
    EXPECT_NE(server.post("/completion", continued(prompt)).status, 200);
  }
  EXPECT_NE(server.log().find("kvsplit"), std::string::npos) << server.log();
  // The other slot works, and so does the first once it holds rows of its own.
  EXPECT_FALSE(server.complete(prompt, n_tokens).empty());
}

TEST(Server, AnEndlessTextShiftsItsContext) {
  const Plugin plugin("K8V4");
  Server server(plugin, {"-c", "256", "--parallel", "1", "--context-shift", "--keep", "4"});
  nlohmann::json request = greedy(prompts()[2], 400);
  request["ignore_eos"] = true;
  const Response response = server.post("/completion", request);
  ASSERT_EQ(response.status, 200) << response.body << server.log();
  EXPECT_EQ(response.body.at("tokens_predicted"), 400);
  EXPECT_EQ(response.body.at("truncated"), true) << "nothing was shifted";
  plugin.expect_cache();
}

/// A draft model is a second model and context in the process. Being the model itself, it is right
/// nearly always; the text must be the one without it.
TEST(Server, ADraftModelChangesNothing) {
  const Plugin alone("K8V4");
  const std::string prompt = prompts()[2];
  std::string expected;
  {
    Server server(alone, {"-c", "1024", "--parallel", "1"});
    expected = server.complete(prompt, 32);
  }
  const Plugin plugin("K8V4");
  Server server(plugin, {"-c", "1024", "--parallel", "1", "-md", demo_model(), "-devd", "KVSPLIT",
                         "-ngld", "99", "--spec-draft-n-max", "4"});
  const Response response = server.post("/completion", greedy(prompt, 32));
  ASSERT_EQ(response.status, 200) << response.body << server.log();
  EXPECT_EQ(response.body.at("content"), expected);
  EXPECT_GT(response.body.at("timings").value("draft_n_accepted", 0), 8) << response.body;
  EXPECT_GE(plugin.events("cache").size(), 2U) << "one cache for each of the two models";
}

}  // namespace
}  // namespace kvsplit::programs
