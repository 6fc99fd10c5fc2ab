// What `kvsplit plan` says from a file's header against what a real context allocates.
#include <gtest/gtest.h>
#include <llama-cpp.h>
#include <llama-ext.h>

#include <filesystem>

#include "host/backend.h"
#include "measure/cache_set.h"
#include "support/run_program.h"

namespace kvsplit::measure {
namespace {

namespace fs = std::filesystem;

/// Every family of llama.cpp's, with windows, heads that cannot be packed, recurrent layers, one
/// tensor for keys and values; and the real models that are here.
std::vector<std::string> all_models() {
  std::vector<std::string> files;
  for (const fs::path& folder : {fs::path(KVSPLIT_SOURCE_DIR "/tests/data/models"),
                                 fs::path(test::demo_model()).parent_path()}) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".gguf") files.push_back(entry.path());
    }
  }
  return files;
}

void expect_same(const host::CacheSize& planned, const host::CacheSize& allocated,
                 const std::string& what) {
  EXPECT_EQ(planned.k_bytes, allocated.k_bytes) << what;
  EXPECT_EQ(planned.v_bytes, allocated.v_bytes) << what;
  EXPECT_EQ(planned.k_numbers, allocated.k_numbers) << what;
  EXPECT_EQ(planned.v_numbers, allocated.v_numbers) << what;
  EXPECT_EQ(planned.n_packed, allocated.n_packed) << what;
  EXPECT_EQ(planned.n_unpacked, allocated.n_unpacked) << what;
}

/// Bytes of copied weights and of all else, as llama.cpp has allocated them for a real context.
std::pair<std::size_t, std::size_t> allocated_by_the_host(const std::string& file,
                                                          const std::string& precision,
                                                          std::uint32_t n_context) {
  const host::Model model(file, "KVSPLIT");
  plugin::set_precision(parse_precision(precision));
  llama_context_params parameters = llama_context_default_params();
  parameters.n_ctx = n_context;
  parameters.n_batch = parameters.n_ubatch = 512;
  parameters.n_outputs_max = 1;
  parameters.swa_full = false;
  parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  const llama_context_ptr context(llama_init_from_model(model.get(), parameters));
  std::pair<std::size_t, std::size_t> sums;
  for (const auto& [type, part] : llama_get_memory_breakdown(context.get())) {
    if (ggml_backend_buft_name(type) == std::string("CPU_REPACK")) sums.first += part.model;
    sums.second += part.context + part.compute;
  }
  return sums;
}

TEST(Footprint, CacheIsWhatARealRunAllocates) {
  host::start();
  std::size_t n_windows = 0;
  std::size_t n_unpacked = 0;
  for (const std::string& file : all_models()) {
    const host::Model header = host::Model(file, "KVSPLIT", {}, host::ModelForm::header);
    const host::Model model(file, "KVSPLIT");
    n_windows += header.facts().sliding_window > 0 ? 1 : 0;
    for (const char* precision : {"FP16", "K8V4", "K4V4", "K2V6:sinks=0:window=0", "K16V3"}) {
      const host::CacheChoice cache = host::kvsplit_cache(parse_precision(precision));
      for (const int n_context : {200, 1024, 1100}) {
        const host::ContextOptions options{
            .cache = cache, .n_context = n_context, .n_batch = 512, .n_outputs = 1};
        const host::Footprint planned = footprint(header, n_context, cache);
        const std::string what =
            file + " " + precision + " at " + std::to_string(planned.n_context) + " tokens";
        EXPECT_EQ(planned.n_context, (n_context + 255) / 256 * 256);
        expect_same(planned.cache, host::Context(model, options).cache_size(), what);
        n_unpacked += planned.cache.n_unpacked;
      }
    }
  }
  EXPECT_GE(n_windows, 3U);
  EXPECT_GE(n_unpacked, 1U);
}

TEST(Footprint, WeightsAndWorkingMemoryAreTheHosts) {
  host::start();
  for (const std::string& file : all_models()) {
    const host::CacheChoice cache = host::kvsplit_cache({8, 4});
    const host::Footprint planned =
        footprint(host::Model(file, "KVSPLIT", {}, host::ModelForm::header), 2048, cache);
    const auto [copies, all_else] = allocated_by_the_host(file, "K8V4", 2048);
    EXPECT_EQ(planned.weights, fs::file_size(file) + copies) << file;
    EXPECT_GT(planned.working, 0U) << file;
    // Of caches that turn out not to fit into packed rows the host does not know the size.
    if (planned.cache.n_unpacked > 0) continue;
    EXPECT_NEAR(planned.cache.bytes() + planned.working, all_else, 0.01 * all_else) << file;
  }
}

TEST(Footprint, LongestContextIsTheLongestThatFits) {
  host::start();
  const host::Model header =
      host::Model(test::demo_model(), "KVSPLIT", {}, host::ModelForm::header);
  const host::CacheChoice cache = host::kvsplit_cache({8, 4});
  for (const std::uint64_t most : {140U << 20U, 170U << 20U}) {
    const host::Footprint longest = longest_context(header, cache, most);
    ASSERT_GT(longest.n_context, 0);
    ASSERT_LT(longest.n_context, header.n_context());
    EXPECT_LE(longest.bytes(), most);
    EXPECT_GT(footprint(header, longest.n_context + 256, cache).bytes(), most);
  }
  EXPECT_EQ(longest_context(header, cache, 1U << 20U).n_context, 0);
  EXPECT_EQ(longest_context(header, cache, 1ULL << 40U).n_context, header.n_context());
}

}  // namespace
}  // namespace kvsplit::measure
