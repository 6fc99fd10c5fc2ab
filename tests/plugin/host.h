#pragma once

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cache/precision.h"

// A host of the plugin as small as a test wants it: caches and graphs as llama.cpp makes them, on
// the device KVSPLIT or on ggml's own CPU device.
namespace kvsplit::test {

using Context = std::unique_ptr<ggml_context, decltype(&ggml_free)>;
using Buffer = std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)>;

/// A context for tensors without data.
Context make_context();

/// Collects what ggml logs while it lives.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  /// Lines of ours that contain `text`.
  int count(const std::string& text) const;
  std::string all() const;
};

/// One device with one backend on it.
class Host {
 public:
  Host(ggml_backend_dev_t device, int n_threads);
  static Host kvsplit(int n_threads = 2);
  static Host cpu(int n_threads = 2);

  ggml_backend_t backend() const { return backend_.get(); }
  ggml_backend_dev_t device() const { return ggml_backend_get_device(backend_.get()); }
  ggml_backend_buffer_type_t buffer_type() const;

  /// Computes the node that `build` returns, after those that it puts into the graph itself, and
  /// gives its numbers if it has f32 ones of its own. Inputs are made by input(), within `build`.
  /// std::runtime_error: the backend failed.
  using Build = std::function<ggml_tensor*(ggml_context*, ggml_cgraph*)>;
  std::vector<float> compute(const Build& build);
  ggml_status last_status() const { return last_status_; }
  /// Operations of the last graph, as they are after the compute.
  const std::vector<ggml_op>& operations() const { return operations_; }

  ggml_tensor* input(ggml_context* context, const std::vector<float>& numbers,
                     std::vector<std::int64_t> shape);
  ggml_tensor* input_halves(ggml_context* context, const std::vector<float>& numbers,
                            std::vector<std::int64_t> shape);
  ggml_tensor* input_rows(ggml_context* context, const std::vector<std::int64_t>& rows,
                          ggml_type type = GGML_TYPE_I64);

 private:
  ggml_tensor* input_bytes(ggml_tensor* tensor, const void* data);

  std::unique_ptr<ggml_backend, decltype(&ggml_backend_free)> backend_;
  std::vector<std::pair<ggml_tensor*, std::vector<std::byte>>> inputs_;
  std::vector<ggml_op> operations_;
  ggml_status last_status_ = GGML_STATUS_SUCCESS;
};

/// Sizes of one layer's cache and attention.
struct LayerShape {
  int head_dim_k = 64, head_dim_v = 64;
  int n_kv_heads = 2, n_heads = 4;
  std::int64_t kv_size = 64;
  int n_streams = 1;
};

/// The keys and values of a layer, allocated as llama.cpp does.
class LayerCache {
 public:
  LayerCache(const Host& host, const LayerShape& shape, ggml_type k_type = GGML_TYPE_F16,
             ggml_type v_type = GGML_TYPE_F16);

  ggml_tensor* k() const { return k_; }
  ggml_tensor* v() const { return v_; }
  /// All rows of one stream, as sessions and copies name them.
  ggml_tensor* k_stream(int stream) const { return k_streams_[static_cast<std::size_t>(stream)]; }
  ggml_tensor* v_stream(int stream) const { return v_streams_[static_cast<std::size_t>(stream)]; }
  const LayerShape& shape() const { return shape_; }
  ggml_backend_buffer_t buffer() const { return buffer_.get(); }

 private:
  LayerShape shape_;
  Context context_;
  ggml_tensor* k_;
  ggml_tensor* v_;
  std::vector<ggml_tensor*> k_streams_, v_streams_;
  Buffer buffer_;
};

/// New keys and values, and what is asked of the cache with them.
struct Step {
  std::vector<std::int64_t> rows;  ///< destinations of k and v; empty: nothing is written
  std::vector<float> k, v;         ///< [rows, n_kv_heads * head_dim]
  int n_tokens = 1;                ///< queries of each stream
  std::vector<float> q;            ///< [streams, n_heads, n_tokens, head_dim_k]
  std::int64_t n_kv = 64;
  int first_stream = 0, n_streams = 1;
  std::vector<float> mask;   ///< [streams, n_tokens, n_kv]; empty: none
  std::vector<float> sinks;  ///< [n_heads]; empty: none
  float scale = 0.125F, max_bias = 0, softcap = 0;
  ggml_type row_type = GGML_TYPE_I64;
};

/// Writes, attends: [streams, n_tokens, n_heads, head_dim_v].
std::vector<float> run(Host& host, const LayerCache& cache, const Step& step);

/// The attention node of a step on a cache.
ggml_tensor* attention(Host& host, ggml_context* context, const LayerCache& cache,
                       const Step& step);

/// A step of random numbers that fills the first n_rows cells of each stream and asks about them.
Step random_step(const LayerShape& shape, std::int64_t n_rows, int n_tokens, unsigned seed);

std::vector<float> random_numbers(std::size_t n, unsigned seed);

/// The root of the mean square of a - b, by that of b.
double relative_error(const std::vector<float>& a, const std::vector<float>& b);

/// Sets the precision of caches made from now on.
void use(const std::string& precision);

/// A tensor's bytes, as a session saves them.
std::vector<std::byte> saved(const ggml_tensor* tensor);
void restore(ggml_tensor* tensor, const std::vector<std::byte>& bytes);

}  // namespace kvsplit::test
