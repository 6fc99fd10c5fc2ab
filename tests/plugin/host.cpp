#include "tests/plugin/host.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>
#include <random>
#include <sstream>
#include <stdexcept>

#include "plugin/plugin.h"

namespace kvsplit::test {
namespace {

std::mutex log_mutex;
std::string log_text;    // of the LogCapture that lives, or the last one
std::string last_error;  // line

void keep_error(ggml_log_level level, const char* text, void* /*data*/) {
  const std::lock_guard lock(log_mutex);
  if (level == GGML_LOG_LEVEL_ERROR) last_error = text;
}

void keep_line(ggml_log_level level, const char* text, void* data) {
  keep_error(level, text, data);
  const std::lock_guard lock(log_mutex);
  log_text += text;
}

ggml_backend_dev_t kvsplit_device() {
  static ggml_backend_reg_t registry = [] {
    ggml_log_set(keep_error, nullptr);
    return plugin::backend_reg();
  }();
  if (registry == nullptr) throw std::runtime_error("the plugin refuses this host");
  return ggml_backend_reg_dev_get(registry, 0);
}

constexpr std::size_t context_bytes = 1U << 20U;

}  // namespace

Context make_context() { return {ggml_init({context_bytes, nullptr, true}), ggml_free}; }

LogCapture::LogCapture() {
  log_text.clear();
  ggml_log_set(keep_line, nullptr);
}

LogCapture::~LogCapture() { ggml_log_set(keep_error, nullptr); }

std::string LogCapture::all() const {
  const std::lock_guard lock(log_mutex);
  return log_text;
}

int LogCapture::count(const std::string& text) const {
  std::istringstream lines(all());
  int n = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("kvsplit: ") && line.find(text) != std::string::npos) ++n;
  }
  return n;
}

Host::Host(ggml_backend_dev_t device, int n_threads)
    : backend_(ggml_backend_dev_init(device, nullptr), ggml_backend_free) {
  auto* const set_n_threads =
      reinterpret_cast<ggml_backend_set_n_threads_t>(ggml_backend_reg_get_proc_address(
          ggml_backend_dev_backend_reg(device), "ggml_backend_set_n_threads"));
  set_n_threads(backend_.get(), n_threads);
}

Host Host::kvsplit(int n_threads) { return {kvsplit_device(), n_threads}; }

Host Host::cpu(int n_threads) {
  return {ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU), n_threads};
}

ggml_backend_buffer_type_t Host::buffer_type() const {
  return ggml_backend_get_default_buffer_type(backend_.get());
}

ggml_tensor* Host::input_bytes(ggml_tensor* tensor, const void* data) {
  ggml_set_input(tensor);
  const auto* const bytes = static_cast<const std::byte*>(data);
  inputs_.emplace_back(tensor, std::vector<std::byte>(bytes, bytes + ggml_nbytes(tensor)));
  return tensor;
}

ggml_tensor* Host::input(ggml_context* context, const std::vector<float>& numbers,
                         std::vector<std::int64_t> shape) {
  ggml_tensor* const tensor =
      ggml_new_tensor(context, GGML_TYPE_F32, static_cast<int>(shape.size()), shape.data());
  EXPECT_EQ(static_cast<std::size_t>(ggml_nelements(tensor)), numbers.size());
  return input_bytes(tensor, numbers.data());
}

ggml_tensor* Host::input_halves(ggml_context* context, const std::vector<float>& numbers,
                                std::vector<std::int64_t> shape) {
  ggml_tensor* const tensor =
      ggml_new_tensor(context, GGML_TYPE_F16, static_cast<int>(shape.size()), shape.data());
  std::vector<ggml_fp16_t> halves(numbers.size());
  ggml_fp32_to_fp16_row(numbers.data(), halves.data(), static_cast<std::int64_t>(numbers.size()));
  return input_bytes(tensor, halves.data());
}

ggml_tensor* Host::input_rows(ggml_context* context, const std::vector<std::int64_t>& rows,
                              ggml_type type) {
  ggml_tensor* const tensor =
      ggml_new_tensor_1d(context, type, static_cast<std::int64_t>(rows.size()));
  if (type == GGML_TYPE_I64) return input_bytes(tensor, rows.data());
  const std::vector<std::int32_t> narrow(rows.begin(), rows.end());
  return input_bytes(tensor, narrow.data());
}

std::vector<float> Host::compute(const Build& build) {
  inputs_.clear();
  const Context context = make_context();
  ggml_cgraph* const graph = ggml_new_graph(context.get());
  ggml_tensor* const result = build(context.get(), graph);
  ggml_build_forward_expand(graph, result);
  const std::unique_ptr<ggml_gallocr, decltype(&ggml_gallocr_free)> allocator(
      ggml_gallocr_new(buffer_type()), ggml_gallocr_free);
  if (!ggml_gallocr_alloc_graph(allocator.get(), graph)) throw std::runtime_error("no memory");
  for (const auto& [tensor, bytes] : inputs_) {
    // What the graph does not use is not allocated.
    if (tensor->buffer != nullptr) ggml_backend_tensor_set(tensor, bytes.data(), 0, bytes.size());
  }
  last_status_ = ggml_backend_graph_compute(backend_.get(), graph);
  operations_.clear();
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    operations_.push_back(ggml_graph_node(graph, i)->op);
  }
  if (last_status_ != GGML_STATUS_SUCCESS) throw std::runtime_error("failed: " + last_error);
  std::vector<float> numbers;
  if (result->type == GGML_TYPE_F32 && result->view_src == nullptr) {
    numbers.resize(static_cast<std::size_t>(ggml_nelements(result)));
    ggml_backend_tensor_get(result, numbers.data(), 0, ggml_nbytes(result));
  }
  return numbers;
}

LayerCache::LayerCache(const Host& host, const LayerShape& shape, ggml_type k_type,
                       ggml_type v_type)
    : shape_(shape),
      context_(make_context()),
      k_(ggml_new_tensor_3d(context_.get(), k_type,
                            static_cast<std::int64_t>(shape.head_dim_k) * shape.n_kv_heads,
                            shape.kv_size, shape.n_streams)),
      v_(ggml_new_tensor_3d(context_.get(), v_type,
                            static_cast<std::int64_t>(shape.head_dim_v) * shape.n_kv_heads,
                            shape.kv_size, shape.n_streams)),
      buffer_(nullptr, ggml_backend_buffer_free) {
  ggml_set_name(k_, "cache_k_l0");
  ggml_set_name(v_, "cache_v_l0");
  for (int s = 0; s < shape.n_streams; ++s) {
    k_streams_.push_back(ggml_view_2d(context_.get(), k_, k_->ne[0], k_->ne[1], k_->nb[1],
                                      static_cast<std::size_t>(s) * k_->nb[2]));
    v_streams_.push_back(ggml_view_2d(context_.get(), v_, v_->ne[0], v_->ne[1], v_->nb[1],
                                      static_cast<std::size_t>(s) * v_->nb[2]));
  }
  buffer_.reset(ggml_backend_alloc_ctx_tensors_from_buft(context_.get(), host.buffer_type()));
  ggml_backend_buffer_clear(buffer_.get(), 0);
}

namespace {

ggml_tensor* write(Host& host, ggml_context* context, ggml_tensor* cache,
                   const std::vector<float>& values, const Step& step) {
  const auto n_rows = static_cast<std::int64_t>(step.rows.size());
  ggml_tensor* all_rows = cache;
  if (cache->ne[2] > 1) {
    all_rows = ggml_reshape_2d(context, cache, cache->ne[0], cache->ne[1] * cache->ne[2]);
  }
  return ggml_set_rows(context, all_rows, host.input(context, values, {cache->ne[0], n_rows}),
                       host.input_rows(context, step.rows, step.row_type));
}

// Of some streams, [head_dim, n_kv, heads, streams], as llama.cpp shows them to attention.
ggml_tensor* view_for_attention(ggml_context* context, ggml_tensor* cache, int head_dim,
                                int n_heads, const Step& step) {
  ggml_tensor* const view =
      ggml_view_4d(context, cache, head_dim, n_heads, step.n_kv, step.n_streams,
                   ggml_row_size(cache->type, head_dim), cache->nb[1], cache->nb[2],
                   static_cast<std::size_t>(step.first_stream) * cache->nb[2]);
  return ggml_permute(context, view, 0, 2, 1, 3);
}

}  // namespace

ggml_tensor* attention(Host& host, ggml_context* context, const LayerCache& cache,
                       const Step& step) {
  const LayerShape& shape = cache.shape();
  ggml_tensor* const q =
      host.input(context, step.q, {shape.head_dim_k, step.n_tokens, shape.n_heads, step.n_streams});
  ggml_tensor* const mask =
      step.mask.empty()
          ? nullptr
          : host.input_halves(context, step.mask, {step.n_kv, step.n_tokens, 1, step.n_streams});
  ggml_tensor* const node = ggml_flash_attn_ext(
      context, q, view_for_attention(context, cache.k(), shape.head_dim_k, shape.n_kv_heads, step),
      view_for_attention(context, cache.v(), shape.head_dim_v, shape.n_kv_heads, step), mask,
      step.scale, step.max_bias, step.softcap);
  if (!step.sinks.empty()) {
    ggml_flash_attn_ext_add_sinks(node, host.input(context, step.sinks, {shape.n_heads}));
  }
  return node;
}

std::vector<float> run(Host& host, const LayerCache& cache, const Step& step) {
  return host.compute([&](ggml_context* context, ggml_cgraph* graph) {
    if (!step.rows.empty()) {
      ggml_build_forward_expand(graph, write(host, context, cache.k(), step.k, step));
      ggml_build_forward_expand(graph, write(host, context, cache.v(), step.v, step));
    }
    return attention(host, context, cache, step);
  });
}

std::vector<float> random_numbers(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> numbers(n);
  for (float& number : numbers) number = normal(random);
  return numbers;
}

Step random_step(const LayerShape& shape, std::int64_t n_rows, int n_tokens, unsigned seed) {
  Step step;
  for (int stream = 0; stream < shape.n_streams; ++stream) {
    for (std::int64_t cell = 0; cell < n_rows; ++cell) {
      step.rows.push_back(stream * shape.kv_size + cell);
    }
  }
  const auto kv_heads = static_cast<std::size_t>(shape.n_kv_heads);
  const auto heads = static_cast<std::size_t>(shape.n_heads);
  step.k = random_numbers(step.rows.size() * kv_heads * static_cast<std::size_t>(shape.head_dim_k),
                          seed);
  step.v = random_numbers(step.rows.size() * kv_heads * static_cast<std::size_t>(shape.head_dim_v),
                          seed + 1);
  step.n_tokens = n_tokens;
  step.n_streams = shape.n_streams;
  step.q = random_numbers(static_cast<std::size_t>(shape.n_streams) * heads *
                              static_cast<std::size_t>(n_tokens * shape.head_dim_k),
                          seed + 2);
  step.n_kv = n_rows;
  step.scale = 1.0F / std::sqrt(static_cast<float>(shape.head_dim_k));
  return step;
}

double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    difference += d * d;
    size += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return size == 0 ? std::numeric_limits<double>::infinity() : std::sqrt(difference / size);
}

void use(const std::string& precision) { plugin::set_precision(parse_precision(precision)); }

std::vector<std::byte> saved(const ggml_tensor* tensor) {
  std::vector<std::byte> bytes(ggml_nbytes(tensor));
  ggml_backend_tensor_get(tensor, bytes.data(), 0, bytes.size());
  return bytes;
}

void restore(ggml_tensor* tensor, const std::vector<std::byte>& bytes) {
  ggml_backend_tensor_set(tensor, bytes.data(), 0, bytes.size());
}

}  // namespace kvsplit::test
