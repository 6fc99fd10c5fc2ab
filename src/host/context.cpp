#include "host/context.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <llama-ext.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/pages.h"
#include "cache/cache_table.h"
#include "host/backend.h"

namespace kvsplit::host {
namespace {

// What llama.cpp's -ctk and -ctv take. Names and numbers come from ggml, so that they cannot drift.
constexpr std::array cache_types = {GGML_TYPE_F32,    GGML_TYPE_F16,  GGML_TYPE_BF16,
                                    GGML_TYPE_Q8_0,   GGML_TYPE_Q4_0, GGML_TYPE_Q4_1,
                                    GGML_TYPE_IQ4_NL, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1};

/// Bits of the codes alone: the first number in the type's name.
int bits_of(ggml_type type) {
  const std::string name = ggml_type_name(type);
  const std::size_t first = name.find_first_of("0123456789");
  return first == std::string::npos ? 0 : std::stoi(name.substr(first));
}

ggml_type parse_type(std::string_view name) {
  std::vector<std::string> names;
  for (const ggml_type type : cache_types) {
    names.emplace_back(ggml_type_name(type));
    if (names.back() == name) return type;
  }
  throw Error(fmt::format("cache type '{}': llama.cpp has {}; write for example q8_0/q4_0", name,
                          fmt::join(names, ", ")));
}

llama_context_params context_parameters(const ContextOptions& options) {
  llama_context_params parameters = llama_context_default_params();
  parameters.n_ctx = static_cast<std::uint32_t>(options.n_context);
  parameters.n_batch = static_cast<std::uint32_t>(options.n_batch);
  parameters.n_ubatch = static_cast<std::uint32_t>(std::min(options.n_batch, options.n_ubatch));
  parameters.n_outputs_max = static_cast<std::uint32_t>(options.n_outputs);
  parameters.n_threads = options.n_threads;
  parameters.n_threads_batch = options.n_threads;
  parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  parameters.swa_full = false;  // as llama.cpp's programs do, so that bytes are what users see
  parameters.type_k = options.cache.k_type;
  parameters.type_v = options.cache.v_type;
  return parameters;
}

llama_context_ptr make_context(const Model& model, const ContextOptions& options) {
  const bool is_packed = options.cache.is_packed;
  if (is_packed != (model.device() == "KVSPLIT")) {
    throw Error(fmt::format("cache {}: not on device {}", options.cache.name(), model.device()));
  }
  if (is_packed) {
    plugin::set_precision(with_plan(options.cache.precision, model.file()));
    plugin::reset_allocated();
  }
  forget_errors();
  llama_context_ptr context(llama_init_from_model(model.get(), context_parameters(options)));
  if (!context) {
    throw Error(fmt::format("{}: no context of {} tokens with cache {}: {}", model.file(),
                            options.n_context, options.cache.name(), first_error()));
  }
  return context;
}

/// The caches of a context that is only planned: its graphs show the tensors and, at attention,
/// their heads. They get memory that nobody touches.
struct Reserved {
  explicit Reserved(Precision wanted) : precision(std::move(wanted)) {}

  void add(ggml_cgraph* graph) {
    const std::span nodes(ggml_graph_nodes(graph), ggml_graph_n_nodes(graph));
    for (const ggml_tensor* node : nodes) {
      if (node->op != GGML_OP_FLASH_ATTN_EXT) continue;
      const std::array halves = {find(node->src[1]), find(node->src[2])};
      const std::string why =
          bind_pair(halves[0], node->src[1]->ne[0], halves[1], node->src[2]->ne[0]);
      for (HostedTensor* const half : halves) table.leave_unpacked(half, why);
    }
    for (const ggml_tensor* node : nodes) {
      HostedTensor* const cache = node->op == GGML_OP_SET_ROWS ? find(node) : nullptr;
      if (cache != nullptr) table.leave_unpacked(cache, cache->bind_no_heads(node->ne[0]));
    }
  }

  HostedTensor* find(const ggml_tensor* tensor) {
    if (tensor->view_src != nullptr) tensor = tensor->view_src;
    std::optional<NominalRows> rows = plugin::as_cache(*tensor);
    if (!rows) return nullptr;
    const auto [place, is_new] = memory.try_emplace(tensor, bytes_needed(*rows, precision));
    std::byte* const at = place->second.data();
    return is_new ? table.add(std::move(*rows), precision, at) : table.at(at);
  }

  Precision precision;
  CacheCounter counter;
  CacheTable table{counter};
  std::map<const ggml_tensor*, Pages> memory;
};

}  // namespace

std::string CacheChoice::name() const {
  if (is_packed) return to_string(precision);
  return fmt::format("{}/{}", ggml_type_name(k_type), ggml_type_name(v_type));
}

int CacheChoice::k_bits() const { return is_packed ? precision.k_bits : bits_of(k_type); }

int CacheChoice::v_bits() const { return is_packed ? precision.v_bits : bits_of(v_type); }

CacheChoice kvsplit_cache(const Precision& precision) { return {.precision = precision}; }

CacheChoice parse_stock_cache(std::string_view text) {
  const std::size_t slash = text.find('/');
  CacheChoice choice{.is_packed = false, .k_type = parse_type(text.substr(0, slash))};
  const bool is_one = slash == std::string_view::npos;
  choice.v_type = is_one ? choice.k_type : parse_type(text.substr(slash + 1));
  return choice;
}

Context::Context(const Model& model, const ContextOptions& options)
    : options_(options), context_(make_context(model, options)), n_vocab_(model.n_vocab()) {
  // The first graph tells the plugin which heads a cache has: only then is it known what could be
  // packed. It also faults in the weights, which no measurement should pay for.
  decode(std::vector<Token>{model.bos()}, 0);
  clear();
  if (options.cache.is_packed) size_ = plugin::allocated();
}

void Context::decode(std::span<const Token> tokens, std::size_t first_output) {
  const std::size_t n_tokens = tokens.size();
  std::vector<Token> ids(tokens.begin(), tokens.end());
  std::vector<std::int8_t> outputs(n_tokens);
  for (std::size_t i = first_output; i < n_tokens; ++i) outputs[i] = 1;
  // Of the one sequence, at the positions that follow.
  llama_batch batch = llama_batch_get_one(ids.data(), static_cast<std::int32_t>(n_tokens));
  batch.logits = outputs.data();

  forget_errors();
  const std::int32_t status = llama_decode(context_.get(), batch);
  if (status != 0) {
    throw Error(fmt::format("cache {}: llama.cpp cannot decode {} tokens at position {}: {}",
                            options_.cache.name(), n_tokens, n_past_,
                            status == 1 ? "the context is full" : first_error()));
  }
  llama_synchronize(context_.get());
  n_past_ += static_cast<int>(n_tokens);
  n_logit_rows_ = n_tokens > first_output ? n_tokens - first_output : 0;
}

std::span<const float> Context::logits() const {
  if (n_logit_rows_ == 0) return {};
  return {llama_get_logits(context_.get()), n_logit_rows_ * static_cast<std::size_t>(n_vocab_)};
}

bool Context::truncate(int n_tokens) {
  if (n_tokens == n_past_) return true;
  llama_memory_t memory = llama_get_memory(context_.get());
  if (!llama_memory_seq_rm(memory, 0, n_tokens, -1)) return false;
  n_past_ = n_tokens;
  const int window = llama_model_n_swa(llama_get_model(context_.get()));
  if (n_tokens == 0 || window == 0) return true;
  const int oldest = llama_memory_seq_pos_min(memory, 0);
  return oldest >= 0 && oldest <= std::max(0, n_tokens - window + 1);
}

Footprint footprint(const Model& model, const ContextOptions& options) {
  const llama_context_ptr context = make_context(model, options);
  Footprint sum{.n_context = static_cast<int>(llama_n_ctx(context.get())),
                .weights = model.facts().file_bytes};
  for (const auto& [type, part] : llama_get_memory_breakdown(context.get())) {
    // What has the type of a device stays in the mapped file, however often it is used.
    ggml_backend_device* const device = ggml_backend_buft_get_device(type);
    if (device != nullptr && ggml_backend_dev_buffer_type(device) != type) {
      sum.weights += part.model;
    }
    sum.working += part.context + part.compute;
  }
  // llama.cpp has counted the caches as if all of them could be packed.
  Reserved reserved(with_plan(options.cache.precision, model.file()));
  reserved.add(llama_graph_reserve(context.get(), 1, 1, 1));
  sum.cache = reserved.counter.get();
  for (const auto& [tensor, pages] : reserved.memory) sum.working -= pages.size();
  return sum;
}

void Context::clear() {
  llama_memory_clear(llama_get_memory(context_.get()), false);
  n_past_ = 0;
}

}  // namespace kvsplit::host
