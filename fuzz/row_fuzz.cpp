// A session from a hostile hand: a row's image with any bytes in it, put at any place of a cache.
// It is restored or refused; attention over it stays within its memory, or says that a row was
// refused.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "cache/hosted_tensor.h"

namespace {

using namespace kvsplit;

constexpr int head_dim = 64, n_heads = 3, n_channels = head_dim * n_heads, kv_size = 128;
constexpr std::size_t row_bytes = 2 * n_channels;

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

NominalRows nominal(const char* name) {
  NominalRows rows = *parse_cache_name(name);
  rows.type = "f16";
  rows.cells = {kv_size, 2};
  rows.n_channels = n_channels;
  rows.row_bytes = row_bytes;
  return rows;
}

/// A cache in memory of exactly its size, so that the sanitizer sees what lies beyond.
class Cache {
 public:
  Cache(const char* name, const Precision& precision)
      : n_bytes_((bytes_needed(nominal(name), precision) + 63) / 64 * 64),
        memory_(static_cast<std::byte*>(std::aligned_alloc(64, n_bytes_))),
        tensor_(nominal(name), choose_format(nominal(name), precision), zeroed()) {}

  HostedTensor& operator*() { return tensor_; }
  HostedTensor* operator->() { return &tensor_; }

 private:
  std::byte* zeroed() {
    std::fill_n(memory_.get(), n_bytes_, std::byte{});
    return memory_.get();
  }

  std::size_t n_bytes_;
  std::unique_ptr<std::byte, Free> memory_;
  HostedTensor tensor_;
};

void write_some(HostedTensor& tensor) {
  std::vector<std::int64_t> rows(40);
  std::iota(rows.begin(), rows.end(), kv_size - 10);  // the end of one stream and the next
  std::vector<float> values(rows.size() * n_channels);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i));
  tensor.write({.values = values.data(), .row_stride = n_channels * sizeof(float), .rows = rows},
               {});
}

void attend_to_all(HostedTensor& k, HostedTensor& v) {
  static Workspace workspace(1);
  std::vector<float> q(std::size_t{2} * n_channels, 0.5F);
  std::vector<float> out(q.size());
  AttentionCall call;
  call.n_heads = n_heads;
  call.head_dim = head_dim;
  call.n_tokens = 1;
  call.n_streams = 2;
  call.n_kv = kv_size;
  call.q = q.data();
  call.q_strides = {n_channels * sizeof(float), head_dim * sizeof(float),
                    n_channels * sizeof(float)};
  call.out = out.data();
  attend(k, v, call, workspace, {});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr const char* precisions[] = {"K8V4", "K4V4",         "K2V2:window=0",
                                        "K8V8", "K5V3:sinks=0", "K6V16"};
  if (size < 4) return 0;
  const Precision precision = parse_precision(precisions[data[0] % std::size(precisions)]);
  Cache k("cache_k_l0", precision);
  Cache v("cache_v_l0", precision);
  const std::string why_not = bind_pair(&*k, head_dim, &*v, head_dim);
  if (!why_not.empty() || !k->packed() || !v->packed()) {
    std::fprintf(stderr, "not packed: %s\n", (why_not + k->note() + v->note()).c_str());
    std::abort();
  }
  write_some(*k);
  write_some(*v);
  HostedTensor& target = data[0] >= 128 ? *k : *v;
  std::vector<std::byte> image(row_bytes * (1 + data[1] % 3));
  target.load((kv_size - 3) * row_bytes, image);
  const std::size_t begin = data[2] % row_bytes;  // marks at the end may stay as they are
  for (std::size_t i = 4; i < size && begin + i - 4 < image.size(); ++i) {
    image[begin + i - 4] = std::byte{data[i]};
  }
  const std::size_t row = data[3] % (2 * kv_size - image.size() / row_bytes + 1);
  const std::size_t inside = data[1] >= 250 ? 7 : 0;  // no whole row
  if (row * row_bytes + inside + image.size() > 2 * kv_size * row_bytes) return 0;
  target.store(row * row_bytes + inside, image);
  try {
    attend_to_all(*k, *v);
  } catch (const Error&) {  // refused
  }
  return 0;
}
