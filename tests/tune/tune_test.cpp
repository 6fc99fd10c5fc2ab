// Measured losses are kept, shared and turned into one unit, on a tiny model.
#include "tune/tune.h"

#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

#include "host/backend.h"
#include "host/weights.h"
#include "support/run_program.h"
#include "tune/calibrate.h"

namespace kvsplit::tune {
namespace {

constexpr const char* search = "of this test";

class Tune : public testing::Test {
 protected:
  Tune() : tokens_(512) {
    host::start();
    model_.emplace(KVSPLIT_SOURCE_DIR "/tests/data/models/llama-head64.gguf", "KVSPLIT");
    std::iota(tokens_.begin(), tokens_.end(), 1);
    for (host::Token& token : tokens_) token = token * 7919 % model_->n_vocab();
    call_.packed = &*model_;
    call_.tokens = tokens_;
    call_.window = 256;
    for (const char* const name : {"K2V2", "K3V3", "K4V4"}) {
      caches_.push_back(host::kvsplit_cache(parse_precision(name)));
    }
  }

  Losses measure(Share share = {}) { return measure_losses(call_, caches_, file_, search, share); }

  const test::TestFolder folder_;
  const std::string file_ = folder_ / "losses";
  std::optional<host::Model> model_;
  std::vector<host::Token> tokens_;
  measure::ComparisonCall call_;
  std::vector<host::CacheChoice> caches_;
};

TEST_F(Tune, LossesFallWithBits) {
  const Losses losses = measure();
  EXPECT_GT(losses.at("K2V2"), losses.at("K3V3"));
  EXPECT_GT(losses.at("K3V3"), losses.at("K4V4"));
  EXPECT_GT(losses.at("K4V4"), 0);
}

TEST_F(Tune, ASearchThatWasKilledGoesOn) {
  const Losses whole = measure();
  std::ofstream(file_) << search << "\n\n0.5 K3V3\n\n0.25 K2V2\n\n0.1 K4";  // within a line
  const Losses rest = measure();
  EXPECT_EQ(rest.at("K3V3"), 0.5) << "measured again";
  EXPECT_EQ(rest.at("K2V2"), 0.25) << "measured again";
  EXPECT_EQ(rest.at("K4V4"), whole.at("K4V4"));
}

TEST_F(Tune, AnotherSearchBeginsAnew) {
  const Losses whole = measure();
  std::ofstream(file_) << "of another plan\n\n0.5 K3V3\n";
  EXPECT_EQ(measure().at("K3V3"), whole.at("K3V3"));
}

TEST_F(Tune, ProcessesShareTheWork) {
  const Losses whole = measure();
  std::ofstream(file_) << search << "\n\n0.5 K3V3\n";  // as the other one has it
  const Losses shared = measure({0, 2});
  EXPECT_EQ(shared.at("K2V2"), whole.at("K2V2"));
  EXPECT_EQ(shared.at("K3V3"), 0.5);
  EXPECT_EQ(shared.at("K4V4"), whole.at("K4V4"));
}

TEST_F(Tune, ErrorsAreWeighedByWhatTheyCost) {
  const std::string plan = folder_ / "test.kvplan";
  CalibrationCall learning{call_};
  learning.n_windows = 2;
  const auto fingerprint = host::WeightFile(model_->file()).fingerprint();
  write_plan(plan, {fingerprint, ""}, calibrate(learning));
  const TuneCall call{call_, plan, file_, search, {}};
  const std::vector<PlannedLayer> tuned = tune(call);
  const std::vector<PlannedLayer> before = open_plan(plan)->layers();
  ASSERT_EQ(tuned.size(), 2U);

  Precision only_keys_of_1{
      .k_bits = 3, .v_bits = 8, .plan = plan, .first_layer = 1, .last_layer = 1};
  const host::CacheChoice cache = host::kvsplit_cache(only_keys_of_1);
  const double loss = measure_losses(call_, {cache}, file_, search, {}).at(cache.name());
  const PlannedSide& keys = before[1].keys;
  const int n_channels = keys.head_dim * static_cast<int>(keys.heads.size());
  const double expected =
      expected_error(plan_format(only_keys_of_1, 1, Side::key, n_channels, false));
  for (std::size_t head = 0; head < keys.heads.size(); ++head) {
    for (std::size_t group = 0; group < keys.heads[head].variance.size(); ++group) {
      const float was = keys.heads[head].variance[group];
      EXPECT_NEAR(tuned[1].keys.heads[head].variance[group], was * loss / expected, 1e-4 * was);
    }
  }
  // A tuned plan works.
  write_plan(plan + ".tuned", {fingerprint, "", true}, tuned);
  caches_ = {host::kvsplit_cache(parse_precision("K4V3:plan=" + plan + ".tuned"))};
  EXPECT_LT(measure().begin()->second, 0.1);
}

}  // namespace
}  // namespace kvsplit::tune
