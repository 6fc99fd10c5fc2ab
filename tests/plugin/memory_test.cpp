// A machine that has no memory left: calls fail and say so, and those after them are as ever.
#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/plugin/host.h"
#include "tests/support/limits.h"

namespace kvsplit::test {
namespace {

class Memory : public testing::Test {
 protected:
  void SetUp() override {
    use("K8V4");
    if (!LittleMemory::can_be_tested()) GTEST_SKIP() << "memory is not limited here";
  }

  /// The graph is refused for want of memory, and computed when there is some again.
  static void expect_refusal(Host& host, const LayerCache& cache, const Step& step,
                             const std::vector<float>& expected) {
    {
      const LittleMemory little;
      const LogCapture log;
      EXPECT_THROW(run(host, cache, step), std::runtime_error);
      EXPECT_EQ(host.last_status(), GGML_STATUS_FAILED);
      EXPECT_EQ(log.count("out of memory"), 1) << log.all();
    }
    EXPECT_EQ(run(host, cache, step), expected);
  }
};

TEST_F(Memory, OfACacheIsRefusedByTheBuffer) {
  const Host host = Host::kvsplit();
  const LogCapture log;
  const LittleMemory little;
  EXPECT_EQ(ggml_backend_buft_alloc_buffer(host.buffer_type(), LittleMemory::block_bytes), nullptr);
  EXPECT_EQ(log.count("out of memory"), 1) << log.all();
}

// Attention's working memory comes with the first graph.
TEST_F(Memory, OfAFirstGraphIsMissed) {
  const LayerShape shape;
  const Step step = random_step(shape, shape.kv_size, 2, 1);
  Host usual = Host::kvsplit(1);
  const std::vector<float> expected = run(usual, LayerCache(usual, shape), step);
  Host host = Host::kvsplit(1);
  expect_refusal(host, LayerCache(host, shape), step, expected);
}

// Heads that cannot be packed: their nominal rows get memory of their own.
TEST_F(Memory, OfRowsThatCannotBePackedIsMissed) {
  const LayerShape shape{80, 80, 2, 4, 65536, 1};
  Step step = random_step(shape, 64, 2, 1);
  Host host = Host::kvsplit(1);
  const std::vector<float> expected = run(host, LayerCache(host, shape), step);
  expect_refusal(host, LayerCache(host, shape), step, expected);
}

}  // namespace
}  // namespace kvsplit::test
