#include "support/kernel_task.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "kernels/bit_planes.h"
#include "kernels/scale_code.h"
#include "support/put_code.h"

namespace kvsplit::test {
namespace {

constexpr double epsilon = 0x1p-24;
constexpr double log_2 = 0.69314718055994531;
constexpr double weight_one = 16384;  // an integer weight of 1 in the kernels

double code_middle(int bits) { return ((1 << bits) - 1) / 2.0; }

std::size_t tile_bytes(int bits) { return 4 * block_bytes(bits) + (bits == 16 ? 0 : 64); }

KernelTask::ByteSource random_bytes(unsigned seed) {
  return [random = std::mt19937(seed)]() mutable { return static_cast<std::uint8_t>(random()); };
}

void store_half(std::byte* at, float value) {
  const Half half = float_to_half(value);
  std::memcpy(at, &half, sizeof(half));
}

float load_half(const std::byte* at) {
  Half half = 0;
  std::memcpy(&half, at, sizeof(half));
  return half_to_float(half);
}

}  // namespace

double SoftmaxState::sum(int row) const {
  double total = 0;
  for (int i = 0; i < 16; ++i) total += sums[static_cast<std::size_t>(row) * 16 + i];
  return total;
}

float KernelTask::Packed::scale(std::size_t group, std::int64_t cell) const {
  if (bits[group] == 16) return 1;
  const std::size_t tile = static_cast<std::size_t>(cell / 64) * tile_bytes(bits[group]);
  const std::size_t at = tile + 4 * block_bytes(bits[group]) + static_cast<std::size_t>(cell % 64);
  return scale_value(std::to_integer<std::uint8_t>(memory[group][at]), bits[group]);
}

float KernelTask::Packed::number(std::size_t group, std::int64_t cell, int channel) const {
  const std::byte* const block =
      memory[group].data() + static_cast<std::size_t>(cell / 64) * tile_bytes(bits[group]) +
      static_cast<std::size_t>(cell % 64 / 16) * block_bytes(bits[group]);
  const auto t = static_cast<int>(cell % 16);
  if (bits[group] == 16) {
    return load_half(block + (keys ? channel * 16 + t : t * 16 + channel) * sizeof(Half));
  }
  const auto* const codes = reinterpret_cast<const std::uint8_t*>(block);
  const int index = keys ? key_index(t, channel) : value_index(t, channel);
  return static_cast<float>(get_code(codes, bits[group], index));
}

// Numbers of variance about 1: any code is as good as another, scales span three octaves around
// what that asks for, and one in 64 is tiny.
void KernelTask::Packed::fill(std::int64_t cell, const ByteSource& bytes) {
  const auto t = static_cast<int>(cell % 16);
  for (std::size_t g = 0; g < bits.size(); ++g) {
    std::byte* const tile =
        memory[g].data() + static_cast<std::size_t>(cell / 64) * tile_bytes(bits[g]);
    std::byte* const block = tile + static_cast<std::size_t>(cell % 64 / 16) * block_bytes(bits[g]);
    for (int c = 0; c < 16; ++c) {
      if (bits[g] == 16) {
        const float number = (static_cast<float>(bytes()) - 127.5F) / 74;
        store_half(block + (keys ? c * 16 + t : t * 16 + c) * sizeof(Half), number);
      } else {
        put_code(reinterpret_cast<std::uint8_t*>(block), bits[g],
                 keys ? key_index(t, c) : value_index(t, c), bytes());
      }
    }
    if (bits[g] != 16) {
      constexpr int usual = 16 * 8 + 6;  // 2 · 1.75 / 2^bits
      const int byte = bytes();
      tile[4 * block_bytes(bits[g]) + static_cast<std::size_t>(cell % 64)] =
          static_cast<std::byte>(byte < 4 ? byte : usual - 20 + byte % 25);
    }
  }
}

KernelTask::Packed KernelTask::pack(const std::vector<int>& bits, bool keys, std::int64_t n_cells,
                                    const ByteSource& bytes) {
  Packed packed;
  packed.bits = bits;
  packed.keys = keys;
  const std::int64_t n_tiles = (n_cells + 63) / 64;
  for (const int group_bits : bits) {
    packed.memory.emplace_back(tile_bytes(group_bits) * static_cast<std::size_t>(n_tiles));
    packed.tiles.push_back({packed.memory.back().data(), tile_bytes(group_bits), group_bits});
  }
  // Cells beyond the last one, too: they were used before, and must not be seen.
  for (std::int64_t cell = 0; cell < n_tiles * 64; ++cell) packed.fill(cell, bytes);
  return packed;
}

KernelTask::KernelTask(const TaskShape& shape, const ByteSource& bytes)
    : shape_(shape),
      k_(pack(shape.k_bits, true, shape.n_cells, bytes)),
      v_(pack(shape.v_bits, false, shape.n_cells, bytes)),
      scratch_(std::make_unique<KernelScratch>()) {
  make_queries(bytes);
  make_masks(bytes);
}

KernelTask::KernelTask(const TaskShape& shape, unsigned seed)
    : KernelTask(shape, random_bytes(seed)) {}

void KernelTask::make_queries(const ByteSource& bytes) {
  const int dim = k_.head_dim();
  // Codes have a root mean square of 74.
  const float usual = shape_.loudness / (74 * std::sqrt(static_cast<float>(dim)));
  const float scale = shape_.softcap != 0 ? usual / shape_.softcap : usual;
  for (int row = 0; row < shape_.n_rows; ++row) {
    for (std::size_t g = 0; g < max_head_groups; ++g) {
      const bool used = g < shape_.k_bits.size();
      const bool fine = g < shape_.n_fine;
      int sum = 0;
      for (int c = 0; c < 16; ++c) {
        const int code = used ? std::max<int>(bytes() - 128, -127) : 0;
        const int low_code = fine ? bytes() - 128 : 0;
        codes_.push_back(static_cast<std::int8_t>(code));
        low_codes_.push_back(static_cast<std::int8_t>(low_code));
        numbers_.push_back(scale * static_cast<float>(code));
        sum += fine ? 256 * code + low_code : code;
      }
      const int bits = used ? shape_.k_bits[g] : 8;
      scales_.push_back(fine ? scale / 256 : scale);
      offsets_.push_back(-scales_.back() * static_cast<float>(code_middle(bits)) *
                         static_cast<float>(sum));
    }
  }
}

// Rows share masks in threes, as the heads of one token do. Of each mask a third is invisible, and
// every fifth mask is so as a whole.
void KernelTask::make_masks(const ByteSource& bytes) {
  for (int row = 0; row < shape_.n_rows; ++row) {
    const bool alibi = shape_.mask == MaskKind::bias;
    slopes_.push_back(alibi ? 1.4427F / static_cast<float>(1 + bytes() % 8) : 1.4427F);
    if (shape_.mask == MaskKind::none) {
      masks_.push_back(nullptr);
      continue;
    }
    if (row % 3 == 0) {
      std::vector<Half>& mask = mask_memory_.emplace_back(shape_.n_cells);
      const bool all_hidden = mask_memory_.size() % 5 == 0;
      for (Half& m : mask) {
        const int byte = bytes();
        const float bias = alibi ? -static_cast<float>(byte) / 32 : 0;
        m = byte % 3 == 0 || all_hidden ? half_minus_infinity : float_to_half(bias);
      }
    }
    masks_.push_back(mask_memory_.back().data());
  }
}

SoftmaxState KernelTask::fresh_state() const {
  const auto rows = static_cast<std::size_t>(shape_.n_rows);
  SoftmaxState state;
  state.max.assign((rows + 15) / 16 * 16, lowest_score);
  state.sums.assign(rows * 16, 0.0F);
  state.out.assign(rows * static_cast<std::size_t>(v_.head_dim()), 0.0F);
  return state;
}

void KernelTask::attend(const KernelTable& table, SoftmaxState& state, std::int64_t first,
                        std::int64_t end, int first_row, int n_rows) const {
  const int dim_v = v_.head_dim();
  AttendTask task;
  task.k_groups = k_.tiles;
  task.v_groups = v_.tiles;
  task.head_dim_v = dim_v;
  task.first_cell = first;
  task.end_cell = task.fetch_end = end;
  task.queries = {n_rows,
                  codes_.data() + first_row * max_query_channels,
                  numbers_.data() + first_row * max_query_channels,
                  scales_.data() + first_row * max_head_groups,
                  offsets_.data() + first_row * max_head_groups,
                  low_codes_.data() + first_row * max_query_channels,
                  shape_.n_fine};
  task.masks = masks_.data() + first_row;
  task.slopes = slopes_.data() + first_row;
  task.softcap = shape_.softcap;
  // Rows beyond the last may be touched in max.
  std::vector<float> max(static_cast<std::size_t>(n_rows + 15) / 16 * 16, lowest_score);
  std::copy_n(state.max.begin() + first_row, n_rows, max.begin());
  task.state = {max.data(), state.sums.data() + first_row * 16,
                state.out.data() + first_row * dim_v};
  // What other tasks left there must not matter: these bytes are NaN as floats.
  std::memset(static_cast<void*>(scratch_.get()), 0xFF, sizeof(KernelScratch));
  task.scratch = scratch_.get();
  table.attend(task);
  std::copy_n(max.begin(), n_rows, state.max.begin() + first_row);
}

SoftmaxState KernelTask::attend(const KernelTable& table) const {
  SoftmaxState state = fresh_state();
  attend(table, state, 0, shape_.n_cells, 0, shape_.n_rows);
  return state;
}

bool KernelTask::sees(int row, std::int64_t cell) const {
  return masks_[row] == nullptr || masks_[row][cell] != half_minus_infinity;
}

void KernelTask::change_cell(std::int64_t cell, const ByteSource& bytes) {
  k_.fill(cell, bytes);
  v_.fill(cell, bytes);
}

// Every product and sum may be off by epsilon of its own size; there are as many as channels of 16
// bits, a few per coded group, and those of mask and cap.
KernelTask::Score KernelTask::score(int row, std::int64_t cell) const {
  double value = 0;
  double size = 0;
  for (std::size_t g = 0; g < k_.bits.size(); ++g) {
    double product = 0;
    double product_size = 0;
    for (int c = 0; c < 16; ++c) {
      const std::size_t at = static_cast<std::size_t>(row) * max_query_channels + g * 16 + c;
      const double code = g < shape_.n_fine ? 256.0 * codes_[at] + low_codes_[at] : codes_[at];
      const double q = k_.bits[g] == 16 ? double{numbers_[at]} : code;
      const double x = q * k_.number(g, cell, c);
      product += x;
      product_size += std::fabs(x);
    }
    if (k_.bits[g] != 16) {
      const std::size_t at = static_cast<std::size_t>(row) * max_head_groups + g;
      product_size = std::fabs(product * scales_[at]) + std::fabs(offsets_[at]);
      product = product * scales_[at] + offsets_[at];
    }
    value += product * k_.scale(g, cell);
    size += product_size * k_.scale(g, cell);
  }
  double error = size * epsilon * static_cast<double>(k_.head_dim() + k_.head_dim() / 16 + 4);
  if (shape_.softcap != 0) {
    value = shape_.softcap * std::tanh(value);
    error = shape_.softcap * (error + 3e-7);  // the kernels' tanh is good to 2e-7
  }
  if (masks_[row] != nullptr) {
    const double bias = double{slopes_[row]} * half_to_float(masks_[row][cell]);
    value += bias;
    error += 2 * epsilon * (std::fabs(value) + std::fabs(bias));
  }
  return {value, error};
}

float KernelTask::largest_scale(std::size_t v_group, std::int64_t first, std::int64_t end) const {
  float largest = 0;
  for (std::int64_t cell = first; cell < end; ++cell) {
    for (int row = 0; row < shape_.n_rows; ++row) {
      if (sees(row, cell)) largest = std::max(largest, v_.scale(v_group, cell));
    }
  }
  return largest;
}

ExpectedRow KernelTask::expected(int row) const {
  const auto n_cells = static_cast<std::size_t>(shape_.n_cells);
  ExpectedRow result;
  std::vector<double> scores(n_cells, -std::numeric_limits<double>::infinity());
  double max = -std::numeric_limits<double>::infinity();
  double score_error = 0;
  for (std::size_t cell = 0; cell < n_cells; ++cell) {
    if (!sees(row, static_cast<std::int64_t>(cell))) continue;
    const Score s = score(row, static_cast<std::int64_t>(cell));
    scores[cell] = s.value;
    max = std::max(max, s.value);
    score_error = std::max(score_error, s.error);
    result.visible = true;
  }
  result.out.resize(static_cast<std::size_t>(v_.head_dim()));
  result.out_bound.resize(result.out.size());
  if (!result.visible) return result;

  double sum = 0;
  for (const double s : scores) sum += std::exp2(s - max);
  result.log2_sum = max + std::log2(sum);
  const auto n_steps = static_cast<double>((n_cells + cells_per_step - 1) / cells_per_step);
  // A weight is off by its score's error and by exp2's 2e-7, twice per step that came later.
  const double weight_error = log_2 * score_error + 5e-7 * (1 + n_steps);
  result.log2_sum_bound = weight_error / log_2 + 2 * epsilon * std::fabs(max);

  for (std::size_t g = 0; g < v_.bits.size(); ++g) {
    const bool coded = v_.bits[g] != 16;
    // What a cell's integer weight and value may be off by: half of one in weight_one of its step,
    // and 1.6 in 1912, which is what the largest value with the step's largest exponent gets: half
    // for rounding, one for the factor's bits below it.
    std::vector<double> weight_off(n_cells);
    std::vector<double> value_off(n_cells);
    for (std::size_t first = 0; coded && first < n_cells; first += cells_per_step) {
      const std::size_t end = std::min(n_cells, first + cells_per_step);
      double step_max = -std::numeric_limits<double>::infinity();
      for (std::size_t cell = first; cell < end; ++cell)
        step_max = std::max(step_max, scores[cell]);
      if (std::isinf(step_max)) continue;
      const double largest =
          largest_scale(g, static_cast<std::int64_t>(first), static_cast<std::int64_t>(end));
      const int bits = std::min(v_.bits[g], 4);  // narrower codes are not widened to 1912
      const double levels = 15.0 / 8 * code_middle(bits) * 256 * 8 * 2048 / 32768;
      for (std::size_t cell = first; cell < end; ++cell) {
        weight_off[cell] = 0.51 / weight_one * std::exp2(step_max - max) / sum;
        value_off[cell] = 1.6 / levels * largest * 15 / 8 * code_middle(v_.bits[g]);
      }
    }
    for (int c = 0; c < 16; ++c) {
      double out = 0;
      double size = 0;
      double rounding = 0;
      for (std::size_t i = 0; i < n_cells; ++i) {
        const auto cell = static_cast<std::int64_t>(i);
        const double code = v_.number(g, cell, c);
        const double number = (coded ? code - code_middle(v_.bits[g]) : code) * v_.scale(g, cell);
        const double weight = std::exp2(scores[i] - max) / sum;
        out += weight * number;
        size += weight * std::fabs(number);
        if (!sees(row, cell)) continue;
        rounding += weight_off[i] * (std::fabs(number) + value_off[i]) + weight * value_off[i];
      }
      result.out[g * 16 + c] = out;
      result.out_bound[g * 16 + c] =
          rounding + size * (2 * weight_error + epsilon * (70 + 4 * n_steps));
    }
  }
  return result;
}

}  // namespace kvsplit::test
