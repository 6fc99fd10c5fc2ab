#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/half.h"
#include "kernels/attend.h"

namespace kvsplit::test {

enum class MaskKind { none, holes, bias };

/// What a task is like; its numbers come from bytes.
struct TaskShape {
  std::vector<int> k_bits, v_bits;  ///< of each group of 16 channels
  int n_rows = 1;
  std::int64_t n_cells = 64;
  MaskKind mask = MaskKind::none;
  float loudness = 2;      ///< of scores, about their root mean square, in units of log2
  float softcap = 0;       ///< times log2(e)
  std::size_t n_fine = 0;  ///< first groups that meet 16 bits of the queries
};

/// Results of a task, or what it goes on from.
struct SoftmaxState {
  std::vector<float> max, sums, out;

  bool operator==(const SoftmaxState&) const = default;
  double sum(int row) const;
};

/// What the contract of kernels/attend.h asks for, in double precision, and how far arithmetic in
/// 32 bits and integer weights may be from it.
struct ExpectedRow {
  bool visible = false;
  double log2_sum = 0, log2_sum_bound = 0;  ///< log2 Σ 2^score
  std::vector<double> out, out_bound;       ///< Σ 2^score · v / Σ 2^score
};

/// A random AttendTask with all the memory that it points to, each array of exactly its size.
class KernelTask {
 public:
  using ByteSource = std::function<std::uint8_t()>;

  KernelTask(const TaskShape& shape, const ByteSource& bytes);
  KernelTask(const TaskShape& shape, unsigned seed);
  KernelTask(const KernelTask&) = delete;

  SoftmaxState fresh_state() const;
  /// Lets some rows attend to cells [first, end); first must be a multiple of cells_per_step.
  void attend(const KernelTable& table, SoftmaxState& state, std::int64_t first, std::int64_t end,
              int first_row, int n_rows) const;
  /// All rows, all cells, from a fresh state.
  SoftmaxState attend(const KernelTable& table) const;

  ExpectedRow expected(int row) const;
  bool sees(int row, std::int64_t cell) const;
  /// Changes the codes and scales of a cell to others.
  void change_cell(std::int64_t cell, const ByteSource& bytes);

  const TaskShape& shape() const { return shape_; }

 private:
  /// The tiles of one side.
  struct Packed {
    std::vector<int> bits;  // of each group
    bool keys = false;
    std::vector<std::vector<std::byte>> memory;  // per group
    std::vector<GroupTiles> tiles;

    int head_dim() const { return static_cast<int>(bits.size()) * 16; }
    float scale(std::size_t group, std::int64_t cell) const;
    /// A code, or f16's value.
    float number(std::size_t group, std::int64_t cell, int channel) const;
    void fill(std::int64_t cell, const ByteSource& bytes);
  };

  static Packed pack(const std::vector<int>& bits, bool keys, std::int64_t n_cells,
                     const ByteSource& bytes);
  void make_queries(const ByteSource& bytes);
  void make_masks(const ByteSource& bytes);
  /// A score and the error that float arithmetic may make in it.
  struct Score {
    double value, error;
  };
  Score score(int row, std::int64_t cell) const;
  /// The largest scale of a group in a step's cells that any row sees.
  float largest_scale(std::size_t v_group, std::int64_t first, std::int64_t end) const;

  TaskShape shape_;
  Packed k_, v_;
  std::vector<std::int8_t> codes_, low_codes_;
  std::vector<float> numbers_, scales_, offsets_, slopes_;
  std::vector<std::vector<Half>> mask_memory_;
  std::vector<const Half*> masks_;
  std::unique_ptr<KernelScratch> scratch_;
};

}  // namespace kvsplit::test
