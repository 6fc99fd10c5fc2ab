// kvsplit demo: two stock servers and the page that the first one serves, and how they end.
#include "tests/programs/demo.h"

#include <algorithm>
#include <fstream>
#include <thread>

namespace kvsplit::programs {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void expect_gone(const std::vector<std::string>& urls) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::ranges::any_of(urls, is_up) && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  for (const std::string& url : urls) EXPECT_FALSE(is_up(url)) << url;
}

/// One line on stderr, and the exit code of wrong use.
void expect_refusal(const std::vector<std::string>& arguments, const std::string& part) {
  const Result result = run(demo(arguments));
  EXPECT_EQ(result.exit_code, 2) << result.all();
  EXPECT_EQ(std::ranges::count(result.log, '\n'), 1) << result.log;
  EXPECT_TRUE(contains(result.log, part)) << result.log;
}

TEST(Demo, ServesAPageThatKnowsBothServers) {
  Demo demo({"--kvq", "K8V4"});
  EXPECT_TRUE(contains(demo.line(), "/ compares K8V4 with FP16 on SmolLM2-135M-Instruct.Q4_1.gguf"))
      << demo.line();
  const std::string page = demo.get("/");
  EXPECT_TRUE(contains(page, "<style>") && contains(page, "</html>")) << page;
  EXPECT_FALSE(contains(page, "src=\"demo.js\"") || contains(page, "href=\"style.css\"")) << page;

  const auto config = nlohmann::json::parse(demo.get("/config.json"));
  EXPECT_EQ(config.at("context"), 1024);
  ASSERT_EQ(config.at("servers").size(), 2U);
  const auto& packed = config["servers"][0].at("cache");
  const auto& whole = config["servers"][1].at("cache");
  // 30 layers × 3 heads × 64 numbers × 2 sides × 2 bytes × 1,024 tokens.
  EXPECT_EQ(packed.at("fp16_bytes"), 30 * 3 * 64 * 2 * 2 * 1024);
  EXPECT_EQ(whole.at("fp16_bytes"), packed.at("fp16_bytes"));
  std::size_t sum = 0;
  for (const auto& tensor : packed.at("tensors")) sum += tensor.at("bytes").get<std::size_t>();
  EXPECT_EQ(packed.at("tensors").size(), 60U);
  EXPECT_EQ(sum, packed["k_bytes"].get<std::size_t>() + packed["v_bytes"].get<std::size_t>());
  EXPECT_LT(sum, whole["k_bytes"].get<std::size_t>() + whole["v_bytes"].get<std::size_t>());

  const std::vector<std::string> urls = demo.urls();
  for (const std::string& url : urls) EXPECT_TRUE(is_up(url)) << url;
  EXPECT_EQ(demo.program().stop(), 0) << demo.program().log();
  EXPECT_EQ(demo.program().log(), "") << "servers are quiet";
  expect_gone(urls);
}

/// Other sites' scripts may not read what the servers answer, the page's may.
TEST(Demo, OnlyPagesOfThisMachineMayAsk) {
  Demo demo({});
  const auto allowed = [&](const std::string& origin) {
    const Result result = run({.arguments = {"curl", "--silent", "--include", "--header",
                                             "Origin: " + origin, demo.urls()[1] + "/health"},
                               .environment = {}});
    return contains(result.output, "Access-Control-Allow-Origin: " + origin);
  };
  EXPECT_TRUE(allowed(demo.url()));
  EXPECT_FALSE(allowed("http://example.org"));
}

TEST(Demo, ServersDoNotOutliveIt) {
#ifndef __linux__
  GTEST_SKIP() << "only Linux tells a process that its parent was killed";
#endif
  Demo demo({});
  const std::vector<std::string> urls = demo.urls();
  demo.program().send(SIGKILL);
  expect_gone(urls);
}

TEST(Demo, EndsWithEitherServer) {
#ifndef __linux__
  GTEST_SKIP() << "the server is looked for in /proc";
#endif
  Demo demo({"--against", "K4V4"});
  const std::vector<std::string> urls = demo.urls();
  const std::string port = urls[1].substr(urls[1].rfind(':') + 1);
  const std::string kill_it =
      "for process in /proc/[0-9]*; do tr '\\0' ' ' 2>&- <$process/cmdline | "
      "grep -q -e \"--port $0 \" && kill -9 ${process#/proc/}; done";
  run({.arguments = {"sh", "-c", kill_it, port}, .environment = {}});
  expect_gone(urls);
  EXPECT_EQ(demo.program().stop(), 1);
  EXPECT_EQ(demo.program().log(),
            "kvsplit: the K4V4 server on port " + port + " ended with exit code 137\n");
}

TEST(Demo, SaysWhichServerDoesNotStart) {
  const TemporaryFolder folder;
  const std::string model = folder.path() / "foreign.gguf";
  std::ofstream(model) << "this is not a model";
  const Result result = run(demo({"-m", model, "--kvq", "K4V4"}));
  EXPECT_EQ(result.exit_code, 1) << result.all();
  EXPECT_TRUE(contains(result.log, "kvsplit: the K4V4 server on port ") ||
              contains(result.log, "kvsplit: the FP16 server on port "))
      << result.log;
  EXPECT_TRUE(contains(result.log, " ended with exit code 1\n")) << result.log;
}

TEST(Demo, AKeyGuardsAllButThePage) {
  Demo demo({"--host", "0.0.0.0", "--api-key", "sesame"});
  EXPECT_TRUE(contains(demo.get("/"), "<style>"));
  EXPECT_EQ(demo.get("/config.json"), "");
  EXPECT_EQ(demo.get("/props"), "");
  EXPECT_TRUE(contains(demo.get("/config.json", "sesame"), "\"servers\""));
}

TEST(Demo, RefusesWrongUseInOneLine) {
  expect_refusal({"--host", "0.0.0.0"}, "give it an --api-key");
  expect_refusal({"--host", "no.such.host", "--api-key", "x"}, "expected an IPv4 address");
  expect_refusal({"--kvq", "K7V4"}, "no codec of 7 bits");
  expect_refusal({"--against", "K7V4"}, "no codec of 7 bits");
  expect_refusal({"-m", "/no/such.gguf"}, "/no/such.gguf: no such file");
  expect_refusal({"--port", "none"}, "--port");
  const TemporaryFolder folder;
  const std::string model = folder.path() / "unplanned.gguf";
  std::filesystem::create_symlink(demo_model(), model);
  expect_refusal({"-m", model, "--kvq", "auto"}, "no plan yet");
  Demo other({});
  const std::string port = other.url().substr(other.url().rfind(':') + 1);
  expect_refusal({"--port", port}, "--port " + port + ": taken");
}

}  // namespace
}  // namespace kvsplit::programs
