#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codec/row_format.h"

namespace kvsplit {

/// A packed row in the bytes of one nominal row, as the host's sessions and slots carry it. The raw
/// row (cache/packed_tensor.h) comes first; what makes a row of another precision recognisable is
/// where there is room for it:
///
///   [ raw row | zeros | "kvs1" | fingerprint, 4 bytes ]   8 bytes or more left: few
///                 enough for rows of 192 numbers in 6 bits to hold their exact forms too
///   [ raw row ]   no room, coded: its scale codes are even, and their lowest bits show bits of the
///                 fingerprint
///   [ f16 row ]   16 bits in a nominal f16 row: just the host's own row, exchanged with it freely
///
/// A nominal row of zeros is a packed row of zero bytes in any of them.
class RowImage {
 public:
  /// Where a row is marked: beside the raw row, where there is room; in its scales, which must be
  /// even ones then; or not at all.
  enum class Mark { trailer, scales, none };
  static Mark mark_for(const RowFormat& format, std::size_t nominal_row_bytes);

  /// Bytes that codes of a row of so many groups may take where its exact form is saved as well,
  /// and the host's rows are f16.
  static int code_bytes_beside_exact(int n_groups);

  /// The raw row of `format` must fit into nominal_row_bytes.
  RowImage(const RowFormat& format, std::size_t nominal_row_bytes);

  std::size_t raw_bytes() const { return raw_bytes_; }

  /// Marks an image whose first raw_bytes() hold a raw row.
  void seal(std::span<std::byte> image) const;
  /// Takes the marks off. False: these are not the marks of this format, the image is untouched.
  bool open(std::span<std::byte> image) const;

 private:
  bool scale_mark(std::size_t scale) const;

  std::size_t raw_bytes_;
  std::uint64_t fingerprint_;
  Mark mark_;
  std::vector<std::size_t> scales_;  ///< where in a row each is
};

}  // namespace kvsplit
