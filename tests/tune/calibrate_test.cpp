// A plan made from one text serves another better than no plan does, on the demo model.
#include "tune/calibrate.h"

#include <gtest/gtest.h>

#include "host/backend.h"
#include "host/process.h"
#include "host/weights.h"
#include "measure/comparison.h"
#include "support/run_program.h"

namespace kvsplit::tune {
namespace {

std::string text(const char* name) {
  return test::contents(std::string(KVSPLIT_SOURCE_DIR "/examples/texts/") + name);
}

TEST(Calibrate, APlanOfFourBitsLosesLessThanHalf) {
  host::start();
  const host::Model model(test::demo_model(), "KVSPLIT");
  const std::vector<host::Token> learnt_from = model.tokenize(text("calibration.txt"));
  CalibrationCall call;
  call.packed = &model;
  call.tokens = learnt_from;
  call.window = 512;
  call.n_windows = 4;
  call.frame_cells = 256;
  call.n_threads = host::default_threads();
  const std::vector<PlannedLayer> plan = calibrate(call);
  ASSERT_EQ(plan.size(), 30U);
  EXPECT_EQ(plan[7].keys.heads.size(), 3U);
  EXPECT_EQ(plan[7].keys.rotation.angles.size(), 32U);
  EXPECT_TRUE(plan[7].keys.rotation.neighbours);

  const test::TestFolder folder;
  const std::string file = folder / "test.kvplan";
  write_plan(file, {host::WeightFile(model.file()).fingerprint(), ""}, plan);
  measure::ComparisonCall compare;
  compare.packed = &model;
  const std::vector<host::Token> measured_on = model.tokenize(text("lighthouse.txt"));
  compare.tokens = measured_on;
  compare.window = 1024;
  compare.n_windows = 1;
  compare.n_threads = call.n_threads;
  std::vector<host::CacheChoice> caches;
  for (const std::string& name :
       {std::string("FP16"), std::string("K4V4:window=0"), "K4V4:window=0:plan=" + file}) {
    caches.push_back(host::kvsplit_cache(parse_precision(name)));
  }
  compare.caches = caches;
  const std::vector<measure::CacheRecord> records = measure::compare_caches(compare);
  EXPECT_LT(*records[2].kl_mean, *records[1].kl_mean / 2);
  EXPECT_LT(*records[2].kl_mean, 0.02);  // that of this file's own quantised weights is 0.003
}

}  // namespace
}  // namespace kvsplit::tune
