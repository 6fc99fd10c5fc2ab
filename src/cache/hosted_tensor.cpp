#include "cache/hosted_tensor.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/half.h"

namespace kvsplit {

HostedTensor::HostedTensor(NominalRows nominal, HostedFormat format, std::byte* memory)
    : nominal_(std::move(nominal)),
      memory_(memory),
      precision_(std::move(format.precision)),
      note_(std::move(format.note)),
      unless_rotated_(std::move(format.rows_unless_rotated)) {
  if (format.rows) use_format(std::move(*format.rows));
}

void HostedTensor::use_format(RowFormat format) {
  image_.emplace(format, nominal_.row_bytes);
  packed_.emplace(std::move(format), nominal_.side, nominal_.cells, memory_);
}

std::size_t HostedTensor::allocated_bytes() const {
  return packed() ? PackedTensor::bytes(packed_->format(), nominal_.cells) : nominal_.bytes();
}

std::string HostedTensor::bind_heads(std::int64_t head_dim) {
  if (packed_->head_dim() == head_dim) return {};
  if (packed_->head_dim() != 0) {
    return "heads of " + std::to_string(packed_->head_dim()) + " and of " +
           std::to_string(head_dim);
  }
  if (unless_rotated_ && !restored_ && !NominalRows::host_rotates_heads_of(head_dim))
    use_format(std::move(*unless_rotated_));
  unless_rotated_.reset();
  return packed_->bind_heads(static_cast<int>(head_dim));
}

std::string HostedTensor::bind_no_heads(std::int64_t n_written) const {
  const bool unread = packed() && packed_->head_dim() == 0 && n_written == nominal_.n_channels;
  return unread ? "not read by flash attention" : "";
}

void HostedTensor::unpack(const std::string& reason) {
  Pages rows(nominal_.bytes());
  const bool is_f16 = nominal_.type == "f16" && image_->raw_bytes() == nominal_.row_bytes;
  if ((restored_ && !is_f16) || std::ranges::count(refused_, true) != std::ssize(kept_)) {
    throw Error(name() + ": " + reason + ", and a session was restored before that was known");
  }
  if (restored_) load(0, {rows.data(), rows.size()});
  for (const auto& [row, bytes] : kept_) {
    std::ranges::copy(bytes, rows.data() + static_cast<std::size_t>(row) * nominal_.row_bytes);
  }
  packed_.reset();
  cleared();
  own_rows_ = std::move(rows);
  note_ = reason;
}

void HostedTensor::load(std::size_t offset, std::span<std::byte> bytes) const {
  if (!packed()) {
    std::copy_n(nominal_rows() + offset, bytes.size(), bytes.begin());
    return;
  }
  const std::size_t row_bytes = nominal_.row_bytes;
  std::vector<std::byte> image(row_bytes);
  while (!bytes.empty()) {
    const std::size_t in_row = offset % row_bytes;
    const std::size_t n = std::min(bytes.size(), row_bytes - in_row);
    const auto row = static_cast<std::int64_t>(offset / row_bytes);
    if (const auto kept = kept_.find(row); kept != kept_.end()) {
      image = kept->second;
    } else {
      packed_->read_raw(row, std::span(image).first(image_->raw_bytes()));
      image_->seal(image);
    }
    std::copy_n(image.begin() + static_cast<std::ptrdiff_t>(in_row), n, bytes.begin());
    bytes = bytes.subspan(n);
    offset += n;
  }
}

bool HostedTensor::store(std::size_t offset, std::span<const std::byte> bytes) {
  if (!packed()) {
    std::ranges::copy(bytes, nominal_rows() + offset);
    return true;
  }
  const std::size_t row_bytes = nominal_.row_bytes;
  // Hosts clear pieces of a cache by storing zeros, without regard to where rows begin.
  const bool zeros = all_zero(bytes);
  const bool whole_rows = offset % row_bytes == 0 && bytes.size() % row_bytes == 0;
  bool all_taken = true;
  std::vector<std::byte> image(row_bytes);
  for (std::size_t at = offset / row_bytes * row_bytes; at < offset + bytes.size();
       at += row_bytes) {
    if (whole_rows) std::ranges::copy(bytes.subspan(at - offset, row_bytes), image.begin());
    const auto row = static_cast<std::int64_t>(at / row_bytes);
    const bool taken = (zeros || whole_rows) && store_row(row, image);
    mark(row, !taken);
    const bool kept = !taken && whole_rows && packed_->head_dim() == 0;
    if (kept) kept_[row] = image;
    all_taken = all_taken && (taken || kept);
  }
  return all_taken;
}

bool HostedTensor::store_row(std::int64_t row, std::span<std::byte> image) {
  if (!image_->open(image)) {
    // Until the head size is known either format may turn out to be the right one; a session knows.
    if (!unless_rotated_ || restored_) return false;
    if (!RowImage(*unless_rotated_, nominal_.row_bytes).open(image)) return false;
    use_format(std::move(*unless_rotated_));
    unless_rotated_.reset();
  }
  restored_ = restored_ || (packed_->head_dim() == 0 && !all_zero(image));
  packed_->write_raw(row, image.first(image_->raw_bytes()));
  return true;
}

bool HostedTensor::copy_stream(std::size_t from_offset, std::size_t to_offset, std::size_t size) {
  const auto kv_size = nominal_.cells.kv_size;
  const std::size_t stream = nominal_.row_bytes * static_cast<std::size_t>(kv_size);
  if (!packed() || size != stream || from_offset % stream != 0 || to_offset % stream != 0) {
    return false;
  }
  const auto from = static_cast<std::int64_t>(from_offset / stream);
  const auto to = static_cast<std::int64_t>(to_offset / stream);
  packed_->copy_stream(from, to);
  for (std::int64_t cell = 0; cell < kv_size && !refused_.empty(); ++cell) {
    mark(to * kv_size + cell, refused_[from * kv_size + cell]);
  }
  return true;
}

void HostedTensor::cleared() {
  own_rows_.zero();
  if (packed_) packed_->forget_exact();
  refused_.clear();
  kept_.clear();
  restored_ = false;
}

void HostedTensor::mark(std::int64_t row, bool refused) {
  kept_.erase(row);
  if (refused && refused_.empty()) refused_.resize(nominal_.cells.n_rows());
  if (!refused_.empty()) refused_[row] = refused;
}

bool HostedTensor::write(const WriteCall& call, Worker worker) {
  const std::int64_t end = nominal_.cells.n_rows();
  const auto exists = [end](std::int64_t row) { return row >= 0 && row < end; };
  if (!std::ranges::all_of(call.rows, exists)) return false;
  packed_->write(call, worker);
  if (Tap* const watching = tap(); watching != nullptr && worker.index == 0) {
    watching->rows(nominal_, call);
  }
  if (worker.index == 0 && !refused_.empty()) {
    for (const std::int64_t row : call.rows) mark(row, false);
    if (std::ranges::find(refused_, true) == refused_.end()) refused_.clear();
  }
  return true;
}

bool HostedTensor::sees_refused(const AttentionCall& call) const {
  if (refused_.empty()) return false;
  const auto visible = [&call](int stream, std::int64_t cell) {
    if (call.mask == nullptr) return true;
    for (int head = 0; head < call.mask_heads; ++head) {
      for (int token = 0; token < call.n_tokens; ++token) {
        if (call.mask_row(stream, head, token)[cell] != half_minus_infinity) return true;
      }
    }
    return false;
  };
  for (int stream = 0; stream < call.n_streams; ++stream) {
    const std::int64_t first = (call.first_stream + stream) * nominal_.cells.kv_size;
    for (std::int64_t cell = 0; cell < call.n_kv; ++cell) {
      if (refused_[first + cell] && visible(stream, cell)) return true;
    }
  }
  return false;
}

std::string bind_pair(HostedTensor* keys, std::int64_t head_dim_k, HostedTensor* values,
                      std::int64_t head_dim_v) {
  const auto packed = [](const HostedTensor* half) { return half != nullptr && half->packed(); };
  if (!packed(keys) && !packed(values)) return {};
  if (keys == values) return "keys and values are one tensor";
  if (keys == nullptr || values == nullptr) return "its other half is no cache of this device";
  if (!packed(keys) || !packed(values)) return "its other half is not packed";
  std::string why = keys->bind_heads(head_dim_k);
  return why.empty() ? values->bind_heads(head_dim_v) : why;
}

void attend(const HostedTensor& keys, const HostedTensor& values, const AttentionCall& call,
            Workspace& workspace, Worker worker) {
  attend(keys.rows(), values.rows(), call, workspace, worker);
  if (worker.index > 0) return;
  if (Tap* const watching = tap()) watching->attention(keys.nominal(), call);
  if (keys.sees_refused(call) || values.sees_refused(call)) {
    throw Error(std::string("refused session, ") + foreign_session);
  }
}

}  // namespace kvsplit
