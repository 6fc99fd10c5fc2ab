#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/pages.h"
#include "cache/attention.h"
#include "cache/hosted_format.h"
#include "cache/packed_tensor.h"
#include "cache/row_image.h"

namespace kvsplit {

/// What is wrong with refused rows, and what to do about it.
inline constexpr char foreign_session[] =
    "of another cache precision or saved without kvsplit: start the program as it was when it "
    "saved "
    "the session, or begin anew";

/// A packed tensor in the place of nominal rows. It has one of three kinds of memory: packed rows
/// in the host's buffer; nominal rows there, where it was clear from the start that it could not be
/// packed; nominal rows of its own, where the first graph showed that, when the host's buffer was
/// already too small for them.
class HostedTensor {
 public:
  /// memory: zeroed, bytes of the packed format, or of the nominal rows where there is none.
  HostedTensor(NominalRows nominal, HostedFormat format, std::byte* memory);

  const NominalRows& nominal() const { return nominal_; }
  const std::string& name() const { return nominal_.name; }
  const std::byte* address() const { return memory_; }  ///< where the host believes it to be
  /// Of a place in what the host believes to be its rows, bytes.
  std::size_t offset_of(const void* place) const {
    return static_cast<std::size_t>(static_cast<const std::byte*>(place) - memory_);
  }
  const Precision& precision() const { return precision_; }  ///< of rows that are packed
  const std::string& note() const { return note_; }          ///< "", or what the user should know
  std::size_t allocated_bytes() const;

  /// Whether rows are packed; if not, the host's own operations work on nominal_rows().
  bool packed() const { return packed_.has_value(); }
  PackedTensor& rows() { return *packed_; }
  const PackedTensor& rows() const { return *packed_; }
  std::byte* nominal_rows() const { return moved() ? own_rows_.data() : memory_; }
  bool moved() const { return own_rows_.data() != nullptr; }

  /// Tells the size of the heads, before anything is computed. Returns "" or why they cannot be
  /// packed.
  std::string bind_heads(std::int64_t head_dim);
  /// Tells that so many numbers at once are written in a graph whose attention has bound its heads.
  /// Returns "" or why they cannot be packed: whole rows of a tensor that no attention reads.
  std::string bind_no_heads(std::int64_t n_written) const;
  /// From now on rows are nominal. Error: a session was restored already and cannot be converted.
  void unpack(const std::string& reason);

  /// The host's bytes [offset, offset + size) of its rows: each packed one travels as its image
  /// (row_image.h). store() returns false where it refused rows: not images of this format, or not
  /// whole rows. A refused row is remembered as such until it is written again. As long as the head
  /// size is not known, foreign rows may still turn out to be nominal ones of a tensor that cannot
  /// be packed: they are kept aside, and only refused when they are looked at.
  void load(std::size_t offset, std::span<std::byte> bytes) const;
  bool store(std::size_t offset, std::span<const std::byte> bytes);
  /// Whole streams of the host's bytes, packed ones without going through images. False: they are
  /// no whole streams, or not packed, and nothing was done.
  bool copy_stream(std::size_t from_offset, std::size_t to_offset, std::size_t size);
  /// The memory that the constructor was given is zero again.
  void cleared();

  /// PackedTensor::write() of rows that the host names. False: one is beyond the end, nothing is
  /// written.
  bool write(const WriteCall& call, Worker worker);
  /// Whether this attention looks at a refused row.
  bool sees_refused(const AttentionCall& call) const;

 private:
  void mark(std::int64_t row, bool refused);
  void use_format(RowFormat format);
  bool store_row(std::int64_t row, std::span<std::byte> image);

  NominalRows nominal_;
  std::byte* memory_;
  Precision precision_;
  std::string note_;
  std::optional<PackedTensor> packed_;
  std::optional<RowImage> image_;
  std::optional<RowFormat> unless_rotated_;
  bool restored_ = false;  ///< rows came from a session before the head size was known
  Pages own_rows_;
  std::vector<bool> refused_;                            ///< empty: none is
  std::map<std::int64_t, std::vector<std::byte>> kept_;  ///< foreign rows, see store()
};

/// Tells keys and values of one attention their head sizes. Returns "" or why what is packed of
/// them cannot be; nullptr: not in our memory.
std::string bind_pair(HostedTensor* keys, std::int64_t head_dim_k, HostedTensor* values,
                      std::int64_t head_dim_v);

/// attend() on both. Error: it looks at a refused row.
void attend(const HostedTensor& keys, const HostedTensor& values, const AttentionCall& call,
            Workspace& workspace, Worker worker);

/// Sees what caches are given, before anything is lost of it: what calibration learns from. Called
/// on one thread, in the order of the graph. Nothing may be thrown.
class Tap {
 public:
  virtual ~Tap() = default;
  virtual void rows(const NominalRows& cache, const WriteCall& call) = 0;
  virtual void attention(const NominalRows& keys, const AttentionCall& call) = 0;
};

/// The process's tap, which nothing but a calibration sets.
inline std::atomic<Tap*>& tap() {
  static std::atomic<Tap*> the_tap{nullptr};
  return the_tap;
}

}  // namespace kvsplit
