// The page, and what is made of gnuplot's pictures.
#include "report/page.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/run_program.h"

namespace kvsplit::report {
namespace {

using measure::CacheRecord;

/// As gnuplot writes it, short.
constexpr const char* drawn = R"svg(<?xml version="1.0"?>
<svg 
 width="440" height="200"
 viewBox="0 0 440 200"
>
<title>Gnuplot</title>
<desc>Produced by GNUPLOT</desc>
<defs><circle id='gpDot'/><use xlink:href='#gpDot'/></defs>
<g id="gnuplot_plot_1" ><title>gnuplot_plot_1</title>
<g color="black" stroke='rgb(  0,   0,   0)' fill="rgb(0,0,0)"><text>black</text></g></g>
</svg>
)svg";

Chart chart(const std::string& title) {
  return {"memory", "lines", title, "cache", "", "MiB", "A <note>", {{"K8V4", 0, 0, 1, 1, 1}}};
}

/// What comes along: picture.css …
std::string shipped(const std::string& name) {
  return test::contents(KVSPLIT_SOURCE_DIR "/share/report/" + name);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Picture, IsNamedAndHasIdsOfItsOwn) {
  EXPECT_EQ(finished(drawn, chart("A < B"), "style"),
            "<svg role=\"img\" aria-labelledby=\"memory-title memory-says\" \n width=\"440\" "
            "height=\"200\"\n viewBox=\"0 0 440 200\"\n>\n<title id=\"memory-title\">A &lt; B"
            "</title><desc id=\"memory-says\">MiB: from 1 (K8V4) to 1 (K8V4).</desc>"
            "<style>style</style>\n"
            "<defs><circle id='memory-gpDot'/><use xlink:href='#memory-gpDot'/></defs>\n"
            "<g id=\"memory-gnuplot_plot_1\" ><title>gnuplot_plot_1</title>\n"
            "<g color=\"black\" stroke='rgb(  0,   0,   0)' fill=\"rgb(0,0,0)\"><text>black</text>"
            "</g></g>\n</svg>\n");
}

TEST(Picture, ThatIsCutOffIsRefused) {
  EXPECT_THROW(finished(std::string(drawn).substr(0, 200), chart("A"), ""), Error);
  EXPECT_THROW(finished("", chart("A"), ""), Error);
}

TEST(Page, HoldsPicturesNumbersAndRecordsWithNothingOfTheirTextsAsMarkup) {
  CacheRecord record;
  record.cache = "<script>alert(1)</script>";
  record.setting.model = "$charts & $records.gguf";
  record.setting.cpu = "$models";
  const Results results{as_json(std::vector{record, record})};
  const std::string made = page("[$models|$models|$charts|$setting|$records]", results,
                                {chart("Memory")}, {"<svg>$setting $models</svg>"});
  const std::string models = "&#36;charts &amp; &#36;records.gguf";
  EXPECT_TRUE(made.starts_with("[" + models + "|" + models + "|<section>\n<h2>Memory</h2>"))
      << made;
  EXPECT_TRUE(contains(made, "<svg>$setting $models</svg>\n<p>A &lt;note></p>")) << made;
  EXPECT_TRUE(contains(made, "<th>cache</th><th>MiB</th></tr>")) << "empty columns: " << made;
  EXPECT_TRUE(contains(made, "<td>K8V4</td><td>1</td>")) << made;
  EXPECT_TRUE(contains(made, "|<div class=\"scroll\" tabindex=\"0\"><table>\n<tr><th>model</th>"))
      << made;
  EXPECT_FALSE(contains(made, "<script>")) << made;
  const std::size_t at = made.find("&lt;script>");
  EXPECT_NE(at, std::string::npos);
  EXPECT_EQ(made.find("&lt;script>", at + 1), std::string::npos) << "one record, read twice";
}

TEST(Page, HasThePlacesThatAreFilled) {
  const Results results{as_json(std::vector{CacheRecord()})};
  const std::string made = page(shipped("page.html"), results, {}, {});
  EXPECT_EQ(made.find('$'), std::string::npos) << made;
  const std::vector<CacheRecord> records(2);
  const std::string moving = animation(shipped("animation.svg"), records);
  EXPECT_EQ(moving.find('$'), std::string::npos) << moving;
}

CacheRecord sized(const std::string& cache, const std::string& engine, std::uint64_t mib) {
  CacheRecord record;
  record.cache = cache;
  record.engine = engine;
  record.kv_bytes = mib << 20;
  record.kv_context = 8192;
  return record;
}

TEST(Animation, EndsWithTheRecordsFigures) {
  const std::vector<CacheRecord> records = {
      sized("FP16", "kvsplit", 180), sized("K8V8", "kvsplit", 96), sized("K8V4", "kvsplit", 72)};
  const std::string made = animation(shipped("animation.svg"), records);
  EXPECT_TRUE(
      contains(made, "A context of 8,192 tokens takes 180.00 MiB as FP16 and 72.00 MiB as K8V4"))
      << made;
  EXPECT_TRUE(contains(made, ">180.00 MiB</text>")) << made;
  EXPECT_TRUE(contains(made, ">72.00 MiB</text>")) << made;
  EXPECT_TRUE(contains(made, ">4,096 tokens</text>")) << "on the way: " << made;
  EXPECT_TRUE(contains(made, "width=\"400.0\"")) << made;
  EXPECT_TRUE(contains(made, "width=\"160.0\"")) << "72 of 180 MiB of 400: " << made;
  EXPECT_TRUE(contains(made, "prefers-reduced-motion: no-preference")) << made;
  EXPECT_FALSE(contains(made, "<script")) << made;
}

TEST(Animation, TakesKvsplitsFirstWithoutK8V4AndAnyWithoutKvsplit) {
  EXPECT_TRUE(
      contains(animation(shipped("animation.svg"),
                         std::vector{sized("FP16", "kvsplit", 8), sized("q4_0/q4_0", "stock", 2),
                                     sized("K4V4", "kvsplit", 2)}),
               ": FP16 and K4V4<"));
  EXPECT_TRUE(contains(animation(shipped("animation.svg"), std::vector{sized("f16/f16", "stock", 8),
                                                                       sized("<&>", "stock", 2)}),
                       ": f16/f16 and &lt;&amp;><"));
}

}  // namespace
}  // namespace kvsplit::report
