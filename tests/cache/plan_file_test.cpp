// Calibrated plans as files: written, read, and refused.
#include "cache/plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <numeric>

#include "base/error.h"
#include "base/pages.h"
#include "cache/cache_table.h"
#include "cache/packed_tensor.h"
#include "support/planned_format.h"
#include "support/run_program.h"

namespace kvsplit {
namespace {

constexpr int head_dim = 64, n_heads = 3, n_layers = 4, n_channels = head_dim * n_heads;

std::vector<PlannedLayer> planned_layers() {
  std::vector<PlannedLayer> layers(n_layers);
  for (PlannedLayer& layer : layers) {
    layer.keys = test::planned_side({.frame_cells = 128});
    layer.values = test::planned_side({});
  }
  layers[2].keys.heads.clear();  // as where a layer's rotation is not known
  return layers;
}

class PlanFile : public testing::Test {
 protected:
  void SetUp() override { write_plan(file_, {17, "by hand"}, planned_layers()); }

  std::string bytes() const {
    std::ifstream in(file_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void replace(const std::string& bytes) const {
    std::ofstream(file_, std::ios::binary).write(bytes.data(), static_cast<long>(bytes.size()));
  }
  std::string why_refused() const {
    try {
      const CalibratedPlan plan(file_);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  const test::TestFolder folder_;  // two processors' tests run side by side
  const std::string file_ = folder_ / "test.kvplan";
};

double bits_per_number(const RowFormat& format) {
  return static_cast<double>(tile_layout(format, 1).bytes) * 8 / (tile_rows * n_channels);
}

TEST_F(PlanFile, GivesFormatsOfTheBitsThatAreAskedFor) {
  const CalibratedPlan plan(file_);
  for (const int bits : {2, 3, 4, 5, 6, 8}) {
    double sum = 0;
    for (const int layer : {0, 1, 3}) {
      const RowFormat format = *plan.format(layer, Side::key, n_channels, {bits, bits});
      EXPECT_EQ(format.frame_cells(), 128);
      sum += bits_per_number(format) / 3;
    }
    EXPECT_LE(sum, bits + 0.5);
    EXPECT_GT(sum, std::min(bits + 0.2, 8.2)) << "bits are left over";
    EXPECT_LE(bits_per_number(*plan.format(0, Side::value, n_channels, {bits, bits})), bits + 0.5);
  }
}

// Groups of a head fall in variance, here by a factor of twelve after the first.
TEST_F(PlanFile, GivesLouderGroupsMoreBits) {
  const CalibratedPlan plan(file_);
  for (const Side side : {Side::key, Side::value}) {
    for (const int bits : {2, 3, 4, 5, 6}) {
      const std::vector<int> groups = plan.format(0, side, n_channels, {bits, bits})->group_bits;
      for (std::size_t head = 0; head < groups.size(); head += 4) {
        EXPECT_GT(groups[head], groups[head + 3]) << bits;
        EXPECT_LE(groups[head], groups[head + 3] + 3) << bits;
      }
    }
  }
}

// In a tuned plan errors have one unit: the side and the layer where they cost more get the bits.
TEST_F(PlanFile, TunedSharesBitsOverLayersAndSides) {
  std::vector<PlannedLayer> layers = planned_layers();
  for (PlannedHead& head : layers[1].values.heads) {
    for (float& variance : head.variance) variance *= 100;
  }
  write_plan(file_, {17, "by hand", true}, layers);
  const CalibratedPlan plan(file_);
  const auto bits_of = [&](int layer, Side side, const Budget& budget) {
    return bits_per_number(*plan.format(layer, side, n_channels, budget));
  };
  EXPECT_GT(bits_of(1, Side::value, {4, 4}), 5.5);
  for (const int layer : {0, 2, 3}) EXPECT_LT(bits_of(layer, Side::value, {4, 4}), 4.3) << layer;
  double sum = 0;
  for (const int layer : {0, 1, 3}) sum += bits_of(layer, Side::key, {4, 3});
  for (const int layer : {0, 1, 2, 3}) sum += bits_of(layer, Side::value, {4, 3});
  EXPECT_LE(sum, 3 * 4.5 + 4 * 3.5);
  EXPECT_GT(sum, 3 * 4.5 + 4 * 3.5 - 0.7) << "bits are left over";
  // Where keys stay in 16 bits, values have what is theirs.
  sum = 0;
  for (const int layer : {0, 1, 2, 3}) sum += bits_of(layer, Side::value, {16, 4});
  EXPECT_LE(sum, 4 * 4.5);
}

TEST_F(PlanFile, ExpectedErrorsFallWithBits) {
  const CalibratedPlan plan(file_);
  const auto error_of = [&](int bits) {
    return expected_error(*plan.format(0, Side::key, n_channels, {bits, bits}));
  };
  double last = error_of(2);
  for (const int bits : {3, 4, 5, 6}) {
    const double error = error_of(bits);
    EXPECT_LT(error, last / 2.5) << bits;
    EXPECT_GT(error, last / 6) << bits;
    last = error;
  }
}

TEST_F(PlanFile, OnlyNamedLayersArePacked) {
  Precision precision{.k_bits = 4, .v_bits = 3, .plan = file_, .first_layer = 1, .last_layer = 1};
  const auto largest_bits = [&](int layer) {
    const RowFormat format = plan_format(precision, layer, Side::value, n_channels, false);
    return std::ranges::max(format.group_bits);
  };
  EXPECT_EQ(largest_bits(0), 16);
  EXPECT_LE(largest_bits(1), 8);
  EXPECT_EQ(largest_bits(2), 16);
}

TEST_F(PlanFile, HoldsWhatWasWritten) {
  const RowFormat format = *CalibratedPlan(file_).format(1, Side::key, n_channels, {});
  const PlannedSide side = planned_layers()[1].keys;
  EXPECT_EQ(format.maps->rotation, side.rotation);
  ASSERT_EQ(format.maps->heads.size(), side.heads.size());
  EXPECT_EQ(format.maps->heads[2].mean, side.heads[2].mean);
  for (std::size_t i = 0; i < side.heads[2].into.size(); ++i) {
    EXPECT_NEAR(format.maps->heads[2].into[i], side.heads[2].into[i], 1e-3);  // f16
  }
}

TEST_F(PlanFile, SaysWhatItIsForAndFrom) {
  EXPECT_EQ(CalibratedPlan(file_).origin().model, 17U);
  EXPECT_EQ(CalibratedPlan(file_).origin().made, "by hand");
  EXPECT_FALSE(CalibratedPlan(file_).origin().tuned);
}

// What tuning reads, changes and writes.
TEST_F(PlanFile, IsWrittenAgainAsItWas) {
  const std::string before = bytes();
  const CalibratedPlan plan(file_);
  write_plan(file_, plan.origin(), plan.layers());
  EXPECT_EQ(bytes(), before);
}

TEST_F(PlanFile, LayersWithoutCalibrationHaveNone) {
  const CalibratedPlan plan(file_);
  EXPECT_FALSE(plan.format(2, Side::key, n_channels, {}));
  EXPECT_FALSE(plan.format(n_layers, Side::key, n_channels, {}));
  EXPECT_TRUE(plan.format(2, Side::value, n_channels, {}));
  Precision precision{.k_bits = 4, .v_bits = 4, .plan = file_};
  EXPECT_EQ(plan_format(precision, 2, Side::key, n_channels, false).transform,
            TransformKind::hadamard);
}

// Keys share their bits over layers, so that no layer alone shows what was asked for.
TEST_F(PlanFile, IsNamedInTheLineOnWhatWasPacked) {
  const Precision precision{.k_bits = 4, .v_bits = 3, .sinks = 4, .plan = file_};
  std::vector<std::unique_ptr<Pages>> memory;
  std::vector<std::unique_ptr<HostedTensor>> tensors;
  std::vector<const HostedTensor*> caches;
  for (const std::string name : {"cache_k_l0", "cache_k_l1", "cache_v_l0", "cache_v_l1"}) {
    NominalRows rows = parse_cache_name(name).value();
    rows.type = "f16";
    rows.cells = {256, 1};
    rows.n_channels = n_channels;
    rows.row_bytes = 2 * n_channels;
    memory.push_back(std::make_unique<Pages>(rows.bytes()));
    tensors.push_back(std::make_unique<HostedTensor>(rows, choose_format(rows, precision),
                                                     memory.back()->data()));
    caches.push_back(tensors.back().get());
  }
  const std::string line = CacheSummary(caches).text();
  EXPECT_TRUE(line.starts_with(to_string(precision) + " cache: 4 tensors packed")) << line;
}

TEST_F(PlanFile, OfAnotherModelIsRefused) {
  const CalibratedPlan plan(file_);
  EXPECT_THROW(plan.format(0, Side::key, 2 * n_channels, {}), Error);
}

TEST_F(PlanFile, DamagedAtAnyPlaceIsRefused) {
  const std::string good = bytes();
  ASSERT_EQ(why_refused(), "");
  for (std::size_t at = 0; at < good.size(); at += 1 + good.size() / 97) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 4);
    replace(bad);
    EXPECT_NE(why_refused().find(file_), std::string::npos) << at;
  }
}

TEST_F(PlanFile, CutOffAnywhereIsRefused) {
  const std::string good = bytes();
  for (std::size_t n = 0; n < good.size(); n += 1 + good.size() / 97) {
    replace(good.substr(0, n));
    EXPECT_NE(why_refused(), "") << n;
  }
}

// Found by fuzz/plan_fuzz.cpp: a checksum only says that the file is as it was written.
TEST_F(PlanFile, OfHeadsWithoutChannelsIsRefused) {
  std::vector<PlannedLayer> layers = planned_layers();
  layers[1].values = {};
  layers[1].values.heads.resize(1);
  write_plan(file_, {17, "by hand"}, layers);
  EXPECT_NE(why_refused().find("heads of 0"), std::string::npos) << why_refused();
}

TEST_F(PlanFile, OfNumbersThatAreNoneIsRefused) {
  std::vector<PlannedLayer> layers = planned_layers();
  layers[1].values.heads[2].variance[1] = NAN;
  write_plan(file_, {17, "by hand"}, layers);
  EXPECT_NE(why_refused().find("numbers that are none"), std::string::npos) << why_refused();
}

TEST_F(PlanFile, MissingOrOfAnotherVersionIsRefused) {
  EXPECT_THROW(CalibratedPlan("/nowhere/model.kvplan"), Error);
  replace("kvplan9\n" + bytes().substr(8));
  EXPECT_NE(why_refused().find("version"), std::string::npos);
}

}  // namespace
}  // namespace kvsplit
