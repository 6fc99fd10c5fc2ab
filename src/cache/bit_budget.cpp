#include "cache/bit_budget.h"

#include <array>
#include <queue>
#include <utility>

#include "cache/row_image.h"
#include "codec/group_codec.h"

namespace kvsplit {
namespace {

constexpr std::array distortion{1.0, 0.36, 0.102, 0.0272, 0.0073, 0.0019, 0.00048, 0.00012, 3e-5};
constexpr int group_numbers = 16, whole_scale_bits = 8;

}  // namespace

double gaussian_error(int bits) { return distortion[static_cast<std::size_t>(bits)]; }

void GroupsOfABudget::add(std::span<const HeadMap> heads, int bits, int usual, bool whole_scales) {
  const std::size_t before = variances.size();
  for (const HeadMap& head : heads) {
    variances.insert(variances.end(), head.variance.begin(), head.variance.end());
  }
  const auto n_groups = static_cast<long long>(variances.size() - before);
  row_of.resize(variances.size(), room.size());
  const long long beside_exact = 8 * RowImage::code_bytes_beside_exact(static_cast<int>(n_groups));
  const bool limited = !whole_scales && beside_exact >= n_groups * group_numbers * usual;
  room.push_back(limited ? beside_exact : n_groups * group_numbers * max_coded_bits);
  left += n_groups * (group_numbers * bits + whole_scale_bits);
}

std::vector<int> share_bits(GroupsOfABudget groups, bool whole_scales) {
  std::vector<int> shares(groups.variances.size());
  // What a bit spent on a group gains, and the group, negative: the first of equals comes first.
  std::priority_queue<std::pair<double, std::ptrdiff_t>> offers;
  const int scale_bits = whole_scales ? whole_scale_bits : whole_scale_bits / 2;
  const auto cost_of_next = [&](int has) { return group_numbers + (has == 0 ? scale_bits : 0); };
  const auto offer = [&](std::size_t group) {
    const auto has = static_cast<std::size_t>(shares[group]);
    if (has + 1 == distortion.size()) return;
    const double gain = groups.variances[group] * (distortion[has] - distortion[has + 1]);
    offers.emplace(gain / cost_of_next(shares[group]), -static_cast<std::ptrdiff_t>(group));
  };
  for (std::size_t group = 0; group < shares.size(); ++group) offer(group);
  while (!offers.empty() && groups.left >= group_numbers) {
    const auto group = static_cast<std::size_t>(-offers.top().second);
    offers.pop();
    long long& room = groups.room[groups.row_of[group]];
    if (cost_of_next(shares[group]) > groups.left || room < group_numbers) continue;
    groups.left -= cost_of_next(shares[group]);
    room -= group_numbers;
    ++shares[group];
    offer(group);
  }
  return shares;
}

}  // namespace kvsplit
