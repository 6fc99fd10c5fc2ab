#include "cache/plan.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <mutex>

#include "base/error.h"
#include "base/half.h"
#include "base/system.h"
#include "cache/bit_budget.h"
#include "cache/packed_tensor.h"

static_assert(std::endian::native == std::endian::little);

namespace kvsplit {
namespace {

constexpr std::string_view magic = "kvplan2\n";
constexpr std::uint32_t most = 1U << 16U;  // layers or heads that a file is believed to have

struct SideHeader {
  std::uint32_t n_heads, head_dim, frame_cells, windowed, n_planes, neighbours;
};

template <typename T>
void put(std::string& bytes, const std::vector<T>& numbers) {
  bytes.append(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(T));
}

template <typename T>
void put(std::string& bytes, const T& one) {
  bytes.append(reinterpret_cast<const char*>(&one), sizeof(one));
}

void put_side(std::string& bytes, const PlannedSide& side) {
  const auto count = [](auto n) { return static_cast<std::uint32_t>(n); };
  put(bytes,
      SideHeader{count(side.heads.size()), count(side.head_dim), count(side.frame_cells),
                 side.windowed, count(side.rotation.angles.size()), side.rotation.neighbours});
  put(bytes, side.rotation.angles);
  for (const PlannedHead& head : side.heads) {
    put(bytes, head.mean);
    put(bytes, head.base);
    put(bytes, head.place_basis);
    put(bytes, head.variance);
    std::vector<Half> into(head.into.size());
    std::ranges::transform(head.into, into.begin(), float_to_half);
    put(bytes, into);
  }
}

class Reader {
 public:
  Reader(const std::string& file, std::string_view bytes) : file_(file), rest_(bytes) {}

  template <typename T>
  std::vector<T> take(std::size_t n) {
    if (rest_.size() / sizeof(T) < n) throw Error(file_ + ": a plan that ends too early");
    std::vector<T> numbers(n);
    if (n > 0) std::memcpy(numbers.data(), rest_.data(), n * sizeof(T));
    rest_.remove_prefix(n * sizeof(T));
    return numbers;
  }

  PlannedSide side() {
    const auto [n_heads, dim, frame_cells, windowed, n_planes, neighbours] = take<SideHeader>(1)[0];
    if (n_heads > most || (dim == 0 && n_heads > 0) || dim % head_dim_unit != 0 ||
        dim > max_head_dim || 2 * n_planes > dim || frame_cells > most ||
        frame_cells % tile_rows != 0) {
      throw Error(file_ + ": a plan for " + std::to_string(n_heads) + " heads of " +
                  std::to_string(dim) + " and frames of " + std::to_string(frame_cells));
    }
    PlannedSide side{static_cast<int>(dim),
                     static_cast<int>(frame_cells),
                     windowed != 0,
                     {neighbours != 0, finite(take<float>(n_planes))},
                     std::vector<PlannedHead>(n_heads)};
    for (PlannedHead& head : side.heads) {
      head.mean = finite(take<float>(dim));
      head.base = finite(take<float>(frame_cells > 0 ? dim : 0));
      head.place_basis = finite(take<float>(head.base.size() * n_place_numbers));
      head.variance = finite(take<float>(dim / group_channels));
      const auto into = take<Half>(std::size_t{dim} * dim);
      head.into.resize(into.size());
      std::ranges::transform(into, head.into.begin(), half_to_float);
      head.into = finite(std::move(head.into));
    }
    return side;
  }

 private:
  std::vector<float> finite(std::vector<float> numbers) const {
    const auto is_finite = [](float x) { return std::isfinite(x); };
    if (std::ranges::all_of(numbers, is_finite)) return numbers;
    throw Error(file_ + ": a plan with numbers that are none");
  }

  const std::string& file_;
  std::string_view rest_;
};

PlannedSide side_of(const HeadMaps& maps) {
  return {maps.head_dim,
          maps.frame_cells,
          maps.windowed,
          maps.rotation,
          {maps.heads.begin(), maps.heads.end()}};
}

}  // namespace

void write_plan(const std::string& file, const PlanOrigin& origin,
                std::span<const PlannedLayer> layers) {
  std::string bytes(magic);
  put(bytes, origin.model);
  put(bytes, static_cast<std::uint32_t>(origin.tuned));
  put(bytes, static_cast<std::uint32_t>(origin.made.size()));
  bytes += origin.made;
  put(bytes, static_cast<std::uint32_t>(layers.size()));
  for (const PlannedLayer& layer : layers) {
    put_side(bytes, layer.keys);
    put_side(bytes, layer.values);
  }
  put(bytes, fnv1a(bytes));
  if (!replace_file(file, bytes)) throw Error(file + ": cannot be written");
}

CalibratedPlan::CalibratedPlan(const std::string& file) : file_(file) {
  const std::optional<std::string> content = file_content(file);
  if (!content) throw Error(file + ": no such plan");
  const std::string& bytes = *content;
  if (!bytes.starts_with(magic) || bytes.size() < magic.size() + sizeof(std::uint64_t)) {
    throw Error(file + ": not a plan of this version of kvsplit");
  }
  const std::string_view body(bytes.data(), bytes.size() - sizeof(std::uint64_t));
  const std::uint64_t hash = fnv1a(body);
  if (std::memcmp(&hash, bytes.data() + body.size(), sizeof(hash)) != 0) {
    throw Error(file + ": damaged, its checksum is wrong");
  }
  Reader reader(file_, body.substr(magic.size()));
  origin_.model = reader.take<std::uint64_t>(1)[0];
  origin_.tuned = reader.take<std::uint32_t>(1)[0] != 0;
  const std::vector<char> made = reader.take<char>(reader.take<std::uint32_t>(1)[0]);
  origin_.made.assign(made.begin(), made.end());
  const std::uint32_t n_layers = reader.take<std::uint32_t>(1)[0];
  for (std::uint32_t i = 0; i < n_layers; ++i) {
    keys_.push_back(make_maps(reader.side(), hash));
    values_.push_back(make_maps(reader.side(), hash));
  }
}

std::vector<PlannedLayer> CalibratedPlan::layers() const {
  std::vector<PlannedLayer> layers;
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    layers.push_back({side_of(*keys_[i]), side_of(*values_[i])});
  }
  return layers;
}

// Bits of the groups of `maps`, which are one of the plan's layers.
std::vector<int> CalibratedPlan::shares(const HeadMaps& maps, Side side,
                                        const Budget& budget) const {
  const bool whole_scales = budget.whole_scales;
  std::vector<int> own;
  if (side == Side::value && !origin_.tuned) {
    for (const HeadMap& head : maps.heads) {
      GroupsOfABudget groups;
      groups.add({&head, 1}, budget.v_bits, budget.v_bits, whole_scales);
      std::ranges::copy(share_bits(std::move(groups), whole_scales), std::back_inserter(own));
    }
    return own;
  }
  const bool shared = origin_.tuned && budget.k_bits < 16 && budget.v_bits < 16;
  const int usual = shared ? (budget.k_bits + budget.v_bits + 1) / 2 : budget.bits(side);
  GroupsOfABudget groups;
  std::size_t row = 0;
  for (const Side sharing : {Side::key, Side::value}) {
    if (sharing != side && !shared) continue;
    for (const auto& layer : sharing == Side::key ? keys_ : values_) {
      // Or bytes would depend on the context: caches of sliding windows stop growing.
      if (layer->windowed != maps.windowed) continue;
      if (layer.get() == &maps) row = groups.room.size();
      groups.add(layer->heads, budget.bits(sharing), usual, whole_scales);
    }
  }
  const std::vector<std::size_t> row_of = groups.row_of;
  const std::vector<int> all = share_bits(std::move(groups), whole_scales);
  for (std::size_t group = 0; group < all.size(); ++group) {
    if (row_of[group] == row) own.push_back(all[group]);
  }
  return own;
}

std::optional<RowFormat> CalibratedPlan::format(int layer, Side side, int n_channels,
                                                const Budget& budget) const {
  const auto& layers = side == Side::key ? keys_ : values_;
  const auto index = static_cast<std::size_t>(layer);
  if (index >= layers.size() || layers[index]->heads.empty()) return std::nullopt;
  RowFormat format;
  format.maps = layers[index];
  format.whole_scales = budget.whole_scales;
  if (static_cast<int>(format.maps->heads.size()) * format.maps->head_dim != n_channels) {
    throw Error(file_ + ": a plan for another model, layer " + std::to_string(layer) +
                " has rows of " + std::to_string(n_channels) + " numbers here");
  }
  format.group_bits = shares(*format.maps, side, budget);
  return format;
}

double expected_error(const RowFormat& format) {
  double error = 0;
  auto bits = format.group_bits.begin();
  for (const HeadMap& head : format.maps->heads) {
    for (const float variance : head.variance) {
      error += variance * gaussian_error(*bits++);
    }
  }
  return error;
}

std::shared_ptr<const CalibratedPlan> open_plan(const std::string& file) {
  static std::mutex one_at_a_time;
  static std::map<std::string, std::shared_ptr<const CalibratedPlan>> plans;
  const std::lock_guard lock(one_at_a_time);
  std::shared_ptr<const CalibratedPlan>& plan = plans[file];
  if (!plan) plan = std::make_shared<CalibratedPlan>(file);
  return plan;
}

RowFormat plan_format(Precision precision, int layer, Side side, int n_channels,
                      bool host_rotates) {
  if (layer < precision.first_layer || layer > precision.last_layer) precision = {16, 16};
  Budget budget{precision.k_bits, precision.v_bits};
  const int bits = budget.bits(side);
  const bool rotate = precision.rotate && !host_rotates && bits != 16;
  RowFormat format =
      uniform_format(n_channels, bits, rotate ? TransformKind::hadamard : TransformKind::identity);
  bool exact = has_exact_rows(precision) && bits <= most_inexact_bits;
  if (!precision.plan.empty() && bits != 16) {
    const auto plan = open_plan(precision.plan);
    // Sides that share a budget are alike.
    if (plan->origin().tuned) {
      exact = has_exact_rows(precision) && budget.k_bits + budget.v_bits <= 2 * most_inexact_bits;
    }
    budget.whole_scales = !exact || precision.sinks == 0;
    const auto planned = plan->format(layer, side, n_channels, budget);
    if (planned) format = *planned;
  }
  if (has_exact_rows(precision)) {
    format.sinks = precision.sinks;
    format.window = precision.window;
    format.exact_saved = exact;
  }
  return format;
}

}  // namespace kvsplit
