#include <fmt/format.h>
#include <gtest/gtest.h>
#include <llama.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "cache/plan.h"
#include "host/backend.h"
#include "host/context.h"
#include "host/model.h"
#include "host/process.h"
#include "host/weights.h"
#include "support/run_program.h"

namespace kvsplit::host {
namespace {

std::string load_error(const std::string& file) {
  try {
    const Model model(file, "CPU");
  } catch (const Error& error) {
    return error.what();
  }
  return "loaded";
}

class Host : public testing::Test {
 protected:
  void SetUp() override { start(); }
};

TEST_F(Host, HasOurDeviceAndTheCpu) {
  const std::vector<std::string> names = device_names();
  EXPECT_EQ(std::count(names.begin(), names.end(), "KVSPLIT"), 1);
  start();  // again
  EXPECT_EQ(device_names().size(), names.size());
  try {
    find_device("NOSUCH");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("KVSPLIT"), std::string::npos) << error.what();
  }
}

TEST_F(Host, SaysWhatIsWrongWithAModelFile) {
  const test::TestFolder folder;
  EXPECT_EQ(load_error(folder / "no.gguf"), (folder / "no.gguf") + ": no such file");
  EXPECT_NE(load_error(folder / "").find("not a GGUF model"), std::string::npos);

  test::write_file(folder / "empty.gguf", "");
  EXPECT_NE(load_error(folder / "empty.gguf").find("not a GGUF model"), std::string::npos);

  test::write_file(folder / "foreign.gguf", "PK\x03\x04 an archive");
  EXPECT_NE(load_error(folder / "foreign.gguf").find("does not start with 'GGUF'"),
            std::string::npos)
      << load_error(folder / "foreign.gguf");

  const std::string whole = test::contents(test::demo_model());
  for (const std::size_t kept : {whole.size() / 2, std::size_t{100'000}, std::size_t{10}}) {
    test::write_file(folder / "cut.gguf", whole.substr(0, kept));
    const std::string message = load_error(folder / "cut.gguf");
    EXPECT_NE(message.find("cut.gguf: truncated or damaged"), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST_F(Host, KnowsTheModel) {
  const Model model(test::demo_model(), "CPU");
  const ModelFacts facts = model.facts();
  EXPECT_EQ(facts.architecture, "llama");
  EXPECT_EQ(facts.n_layers, 30);
  EXPECT_EQ(facts.n_heads, 9);
  EXPECT_EQ(facts.n_kv_heads, 3);
  EXPECT_EQ(model.n_context(), 8192);
  EXPECT_EQ(facts.file_bytes, 98362432U);
  EXPECT_EQ(model.n_vocab(), 49152);
  EXPECT_GT(model.tokenize("two flashes, close together").size(), 3U);
}

TEST_F(Host, LoadsACopyAsF32AndLeavesNoFileBehind) {
  const std::string file = test::demo_model();
  const test::TestFolder folder;
  setenv("TMPDIR", (folder / "").c_str(), 1);
  const Model plain(file, "CPU");
  const Model copy(file, "CPU", {}, ModelForm::as_f32);
  EXPECT_TRUE(std::filesystem::is_empty(folder / ""));
  EXPECT_EQ(copy.name(), plain.name() + " as F32");
  EXPECT_EQ(copy.facts().file_type, "all F32");
  EXPECT_NE(plain.facts().file_type, "all F32");
  EXPECT_GT(llama_model_size(copy.get()), llama_model_size(plain.get()));

  setenv("TMPDIR", (folder / "nowhere").c_str(), 1);
  EXPECT_THROW(Model(file, "CPU", {}, ModelForm::as_f32), std::exception);
  unsetenv("TMPDIR");
}

/// The sequence of `tokens`, decoded in pieces of the given lengths: the logits of its last token.
std::vector<float> last_logits(Context& context, const std::vector<Token>& tokens,
                               std::size_t piece) {
  context.clear();
  for (std::size_t at = 0; at < tokens.size(); at += piece) {
    const std::size_t n = std::min(piece, tokens.size() - at);
    context.decode(std::span(tokens).subspan(at, n), n - 1);
  }
  return {context.logits().begin(), context.logits().end()};
}

TEST_F(Host, DecodesInPiecesAndForgets) {
  const Model model(test::demo_model(), "CPU");
  ContextOptions options;
  options.cache = parse_stock_cache("f16/f16");
  options.n_context = 256;
  Context context(model, options);
  const std::vector<Token> tokens = model.tokenize("The keeper climbed the stairs and lit the");
  const std::vector<float> expected = last_logits(context, tokens, tokens.size());
  EXPECT_EQ(context.n_past(), static_cast<int>(tokens.size()));
  ASSERT_EQ(expected.size(), static_cast<std::size_t>(model.n_vocab()));

  // A token by itself takes another path through the matrix kernels: nearly the same numbers.
  const std::vector<float> by_piece = last_logits(context, tokens, 3);
  const auto top = [](const std::vector<float>& x) {
    return std::max_element(x.begin(), x.end()) - x.begin();
  };
  EXPECT_EQ(top(by_piece), top(expected));

  EXPECT_TRUE(context.truncate(static_cast<int>(tokens.size()) - 1));
  context.decode(std::span(tokens).last(1), 0);
  EXPECT_EQ(context.n_past(), static_cast<int>(tokens.size()));
  const std::vector<float> again(context.logits().begin(), context.logits().end());
  EXPECT_EQ(top(again), top(expected));
}

/// Whether a context that holds `n_past` tokens can be cut back to `kept` of them.
bool can_forget(const std::string& family, int n_past, int kept) {
  const Model model(KVSPLIT_SOURCE_DIR "/tests/data/models/" + family + ".gguf", "CPU");
  ContextOptions options;
  options.cache = parse_stock_cache("f16");
  options.n_context = n_past;
  Context context(model, options);
  const std::vector<Token> tokens(256, model.bos());
  while (context.n_past() < n_past) {
    const std::size_t n = std::min<std::size_t>(tokens.size(), n_past - context.n_past());
    context.decode(std::span(tokens).first(n), n - 1);
  }
  return context.truncate(kept);
}

TEST_F(Host, SaysWhenAModelCannotForget) {
  EXPECT_TRUE(can_forget("llama", 2048, 5));
  EXPECT_TRUE(can_forget("llama", 2048, 0));
  EXPECT_TRUE(can_forget("gemma3", 2048, 2047));
  EXPECT_FALSE(can_forget("gemma3", 2048, 1000)) << "the window's tokens have been overwritten";
  EXPECT_TRUE(can_forget("gemma3", 2048, 0));
  EXPECT_FALSE(can_forget("lfm2", 256, 255)) << "a state has no tokens to take away";
  EXPECT_TRUE(can_forget("lfm2", 256, 256));
  EXPECT_TRUE(can_forget("lfm2", 256, 0));
}

TEST_F(Host, NamesTheProcessor) { EXPECT_FALSE(processor_name().empty()); }

TEST_F(Host, GivesTheReasonWhereAContextCannotBeMade) {
  const Model model(test::demo_model(), "CPU");
  ContextOptions options;
  options.cache = kvsplit_cache({8, 4});
  EXPECT_THROW(Context(model, options), Error) << "packed caches live on KVSPLIT only";
}

TEST_F(Host, SaysWhenTheContextIsFull) {
  const Model model(test::demo_model(), "CPU");
  ContextOptions options;
  options.cache = parse_stock_cache("f16");
  options.n_context = 256;
  Context context(model, options);
  const std::vector<Token> tokens(200, model.bos());
  context.decode(tokens, tokens.size());
  try {
    context.decode(tokens, tokens.size());
    FAIL() << "256 cells do not hold 400 tokens";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("the context is full"), std::string::npos)
        << error.what();
  }
}

TEST_F(Host, PacksWhatIsAskedFor) {
  const Model model(test::demo_model(), "KVSPLIT");
  ContextOptions options;
  options.n_context = 512;
  std::size_t last = ~std::size_t{0};
  for (const Precision& precision :
       {Precision{16, 16}, Precision{8, 8}, Precision{8, 4}, Precision{4, 4}}) {
    options.cache = kvsplit_cache(precision);
    const Context context(model, options);
    EXPECT_LT(context.cache_size().bytes(), last);
    last = context.cache_size().bytes();
  }
}

std::string plan_error(const std::string& precision, const std::string& model) {
  try {
    with_plan(parse_precision(precision), model);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ModelPlan, IsBesideTheModelAndForNoOther) {
  const test::TestFolder folder;
  const std::string model = folder / "small.gguf";
  std::filesystem::create_symlink(test::demo_model(), model);
  const std::string plan = folder / "small.kvplan";
  EXPECT_EQ(place_for_plan(model), plan);
  EXPECT_EQ(plan_error("auto", model),
            plan + ": no plan yet, kvsplit calibrate -m " + model + " makes it");
  EXPECT_EQ(plan_error("K4V4", model), "");

  const std::uint64_t fingerprint = WeightFile(model).fingerprint();
  write_plan(plan, {fingerprint, "here"}, {});
  EXPECT_EQ(with_plan(parse_precision("auto"), model).plan, plan);
  EXPECT_EQ(with_plan(parse_precision("K3V3:plan=auto"), model).plan, plan);
  const std::string foreign = folder / "foreign.kvplan";
  write_plan(foreign, {fingerprint + 1, "elsewhere"}, {});
  EXPECT_EQ(plan_error("K4V4:plan=" + foreign, model),
            foreign + ": a plan for another model than " + model +
                ", kvsplit calibrate makes one for it");
}

TEST(ModelPlan, IsFoundInTheCacheFolderUnderTheFingerprint) {
  const test::TestFolder folder;
  const std::string model = folder / "small.gguf";
  std::filesystem::create_symlink(test::demo_model(), model);
  const char* const before = std::getenv("XDG_CACHE_HOME");
  const std::string kept = before == nullptr ? "" : before;
  setenv("XDG_CACHE_HOME", (folder / "cache").c_str(), 1);
  EXPECT_EQ(find_plan(model), "");
  const std::uint64_t fingerprint = WeightFile(model).fingerprint();
  const std::filesystem::path plans = folder / "cache/kvsplit/plans";
  std::filesystem::create_directories(plans);
  const std::string plan = plans / fmt::format("{:016x}.kvplan", fingerprint);
  write_plan(plan, {fingerprint, "here"}, {});
  EXPECT_EQ(find_plan(model), plan);
  EXPECT_EQ(with_plan(parse_precision("auto"), model).plan, plan);
  kept.empty() ? unsetenv("XDG_CACHE_HOME") : setenv("XDG_CACHE_HOME", kept.c_str(), 1);
}

TEST(ModelPlan, FewBitsWithoutItAreCalledDangerousWhereKeysHaveLargeBiases) {
  EXPECT_EQ(danger(parse_precision("K2V2"), test::demo_model()), "");  // it has no biases
  const std::string biased = KVSPLIT_SOURCE_DIR "/tests/data/models/qwen2.gguf";
  EXPECT_EQ(danger(parse_precision("K4V4"), biased), "") << "small ones";

  const test::TestFolder folder;
  const std::string file = folder / "biased.gguf";
  const ggml_context_ptr tensors(
      ggml_init({.mem_size = 1 << 16, .mem_buffer = nullptr, .no_alloc = false}));
  ggml_tensor* const bias = ggml_new_tensor_1d(tensors.get(), GGML_TYPE_F32, 64);
  ggml_set_name(bias, "blk.0.attn_k.bias");
  std::fill_n(static_cast<float*>(bias->data), 64, -137.0F);
  const gguf_context_ptr header(gguf_init_empty());
  gguf_add_tensor(header.get(), bias);
  ASSERT_TRUE(gguf_write_to_file(header.get(), file.c_str(), false));
  EXPECT_EQ(danger(parse_precision("K4V4"), file),
            "biased.gguf: keys with biases up to 137, which 4 bits without a plan can destroy: "
            "kvsplit calibrate -m " +
                file + ", then --kvq auto");
  EXPECT_EQ(danger(parse_precision("K8V4"), file), "");
  test::write_file(file, "this is not a model");
  EXPECT_EQ(danger(parse_precision("K4V4"), file), "") << "who loads it says what is wrong";
  EXPECT_EQ(danger(parse_precision("K4V4"), folder / "missing.gguf"), "");
  EXPECT_EQ(danger(parse_precision("K4V4:plan=a.kvplan"), file), "");
}

TEST(ModelPlan, IsForTheModelWhateverItsWeightsBits) {
  const test::TestFolder folder;
  const std::string wide = folder / "wide.gguf";
  llama_model_quantize_params parameters = llama_model_quantize_default_params();
  parameters.ftype = LLAMA_FTYPE_ALL_F32;
  parameters.allow_requantize = true;
  ASSERT_EQ(llama_model_quantize(test::demo_model().c_str(), wide.c_str(), &parameters), 0U);
  EXPECT_EQ(WeightFile(wide).fingerprint(), WeightFile(test::demo_model()).fingerprint());
}

TEST(CacheChoice, ReadsLlamaCppsNames) {
  const CacheChoice both = parse_stock_cache("q8_0/q4_0");
  EXPECT_EQ(both.name(), "q8_0/q4_0");
  EXPECT_EQ(both.k_bits(), 8);
  EXPECT_EQ(both.v_bits(), 4);
  EXPECT_EQ(parse_stock_cache("iq4_nl").name(), "iq4_nl/iq4_nl");
  EXPECT_EQ(parse_stock_cache("bf16").k_bits(), 16);
  EXPECT_THROW(parse_stock_cache("q3_K"), Error);
  EXPECT_THROW(parse_stock_cache("q8_0/"), Error);
  EXPECT_EQ(kvsplit_cache({8, 4}).name(), "K8V4");
}

TEST(Process, CountsThreadsAndMemory) {
  EXPECT_GE(default_threads(), 1);
  EXPECT_GT(peak_rss_bytes(), 1U << 20);
}

}  // namespace
}  // namespace kvsplit::host
