#include "tests/families/session.h"

#include <ggml-backend.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <random>
#include <utility>

#include "base/error.h"
#include "cache/precision.h"
#include "plugin/plugin.h"

namespace kvsplit::families {
namespace {

constexpr int n_vocab = 128;

struct Log {
  std::mutex mutex;
  std::string lines;
};

Log& host_log() {
  static Log log;
  return log;
}

void keep_warnings(ggml_log_level level, const char* text, void* /*user_data*/) {
  static ggml_log_level last = GGML_LOG_LEVEL_NONE;
  const std::lock_guard lock(host_log().mutex);
  if (level != GGML_LOG_LEVEL_CONT) {
    last = level;
  }
  if (last == GGML_LOG_LEVEL_WARN || last == GGML_LOG_LEVEL_ERROR) {
    host_log().lines += text;
  }
}

/// Registers our device beside the host's own, once for the process.
ggml_backend_dev_t kvsplit_device() {
  static const ggml_backend_dev_t device = [] {
    ggml_backend_reg* const registry = plugin::backend_reg();
    if (registry == nullptr) {
      throw Error("backend_reg() found a host that it was not compiled for");
    }
    ggml_backend_register(registry);
    return ggml_backend_dev_by_name("KVSPLIT");
  }();
  if (device == nullptr) {
    throw Error("the registry has no device KVSPLIT");
  }
  return device;
}

std::filesystem::path model_file(const std::string& name) {
  const char* data = std::getenv("KVSPLIT_TEST_DATA");
  const std::filesystem::path folder = data != nullptr ? data : KVSPLIT_SOURCE_DIR "/tests/data";
  return folder / (name + ".gguf");
}

}  // namespace

Model::Model(const std::string& name, Device device, llama_pos first_position)
    : device_(device), first_position_(first_position) {
  static const bool started = [] {
    llama_backend_init();
    llama_log_set(keep_warnings, nullptr);
    return true;
  }();
  (void)started;

  // An empty list means "no device but the CPU", a null one "whatever there is".
  ggml_backend_dev_t devices[2] = {nullptr, nullptr};
  if (device == Device::kvsplit) {
    devices[0] = kvsplit_device();
  }
  llama_model_params parameters = llama_model_default_params();
  parameters.devices = devices;
  parameters.n_gpu_layers = 99;
  const std::filesystem::path file = model_file(name);
  model_.reset(llama_model_load_from_file(file.c_str(), parameters));
  if (!model_) {
    throw Error(file.string() + ": does not load: " + take_log());
  }
  take_log();  // that a tiny model has no vocabulary is no news
}

std::vector<Token> random_tokens(unsigned seed, int n, llama_pos first, llama_seq_id sequence) {
  std::mt19937 random(seed);
  std::vector<Token> tokens(n);
  for (int i = 0; i < n; ++i) {
    tokens[i] = {static_cast<llama_token>(random() % n_vocab), first + i, sequence};
  }
  return tokens;
}

std::vector<Token> joined(std::vector<Token> tokens, const std::vector<Token>& more) {
  tokens.insert(tokens.end(), more.begin(), more.end());
  return tokens;
}

Session::Session(const Model& model, const CacheSettings& settings)
    : first_(model.first_position()) {
  if (model.device() == Device::kvsplit) {
    plugin::set_precision(parse_precision(settings.precision));
  }
  llama_context_params parameters = llama_context_default_params();
  parameters.n_ctx = 1024;
  parameters.n_batch = 512;
  parameters.n_ubatch = 128;
  parameters.n_seq_max = 2;
  parameters.n_threads = settings.n_threads;
  parameters.n_threads_batch = settings.n_threads;
  parameters.type_k = settings.k_type;
  parameters.type_v = settings.v_type;
  parameters.flash_attn_type =
      settings.flash_attention ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
  parameters.kv_unified = settings.unified;
  parameters.swa_full = settings.full_windows;
  context_.reset(llama_init_from_model(model.get(), parameters));
  if (!context_) {
    throw Error("no context for this model: " + take_log());
  }
}

namespace {

/// Owns what llama_batch_init() allocates.
class Batch {
 public:
  Batch(std::span<const Token> tokens, llama_pos first)
      : batch_(llama_batch_init(static_cast<std::int32_t>(tokens.size()), 0, 1)) {
    for (const Token& token : tokens) {
      const std::int32_t i = batch_.n_tokens++;
      batch_.token[i] = token.id;
      batch_.pos[i] = first + token.position;
      batch_.n_seq_id[i] = 1;
      batch_.seq_id[i][0] = token.sequence;
      batch_.logits[i] = 1;
    }
  }
  ~Batch() { llama_batch_free(batch_); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  const llama_batch& get() const { return batch_; }

 private:
  llama_batch batch_;
};

}  // namespace

bool Session::try_decode(std::span<const Token> tokens) {
  return llama_decode(context_.get(), Batch(tokens, first_).get()) == 0;
}

std::vector<float> Session::decode(std::span<const Token> tokens) {
  if (!try_decode(tokens)) {
    throw Error("llama_decode failed: " + take_log());
  }
  std::vector<float> logits;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const float* row = llama_get_logits_ith(context_.get(), static_cast<std::int32_t>(i));
    logits.insert(logits.end(), row, row + n_vocab);
  }
  return logits;
}

std::vector<float> Session::encode(std::span<const Token> tokens) {
  llama_set_embeddings(context_.get(), true);
  if (llama_encode(context_.get(), Batch(tokens, first_).get()) != 0) {
    throw Error("llama_encode failed: " + take_log());
  }
  std::vector<float> embeddings;
  const int n = llama_model_n_embd(llama_get_model(context_.get()));
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const float* row = llama_get_embeddings_ith(context_.get(), static_cast<std::int32_t>(i));
    embeddings.insert(embeddings.end(), row, row + n);
  }
  llama_set_embeddings(context_.get(), false);
  return embeddings;
}

bool Session::remove(llama_seq_id sequence, llama_pos begin, llama_pos end) {
  return llama_memory_seq_rm(memory(), sequence, at(begin), at(end));
}

void Session::move(llama_seq_id sequence, llama_pos begin, llama_pos end, llama_pos shift) {
  llama_memory_seq_add(memory(), sequence, at(begin), at(end), shift);
}

std::vector<std::uint8_t> Session::state() {
  std::vector<std::uint8_t> bytes(llama_state_get_size(context_.get()));
  bytes.resize(llama_state_get_data(context_.get(), bytes.data(), bytes.size()));
  return bytes;
}

bool Session::restore(std::span<const std::uint8_t> state) {
  return llama_state_set_data(context_.get(), state.data(), state.size()) == state.size();
}

std::vector<std::uint8_t> Session::sequence_state(llama_seq_id sequence) {
  std::vector<std::uint8_t> bytes(llama_state_seq_get_size(context_.get(), sequence));
  bytes.resize(llama_state_seq_get_data(context_.get(), bytes.data(), bytes.size(), sequence));
  return bytes;
}

bool Session::restore_sequence(std::span<const std::uint8_t> state, llama_seq_id sequence) {
  return llama_state_seq_set_data(context_.get(), state.data(), state.size(), sequence) != 0;
}

std::string take_log() {
  const std::lock_guard lock(host_log().mutex);
  return std::exchange(host_log().lines, {});
}

double relative_error(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) {
    throw Error("compared " + std::to_string(a.size()) + " logits with " +
                std::to_string(b.size()));
  }
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    size += double{b[i]} * b[i];
  }
  return std::sqrt(difference / size);
}

}  // namespace kvsplit::families
