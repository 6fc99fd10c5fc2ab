#include "host/model.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "host/backend.h"

namespace kvsplit::host {
namespace {

namespace fs = std::filesystem;

constexpr int all_layers = 999;

/// llama.cpp says "failed to load model" to all of these; people want to know which it is.
void check_file(const std::string& file) {
  if (!fs::exists(file)) throw Error(fmt::format("{}: no such file", file));
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw Error(fmt::format("{}: cannot be read, check its permissions", file));
  std::string magic(4, ' ');
  if (!stream.read(magic.data(), 4) || magic != "GGUF") {
    throw Error(fmt::format("{}: not a GGUF model: does not start with 'GGUF'", file));
  }
}

}  // namespace

Model::Model(const std::string& file, const std::string& device,
             std::function<void(double)> progress, bool header_only)
    : file_(file), device_(device) {
  check_file(file);
  // An empty list is not "none given": it keeps the weights, and so the cache, on the plain CPU.
  std::array<ggml_backend_dev_t, 2> devices{};
  if (device != "CPU") devices[0] = find_device(device);
  llama_model_params parameters = llama_model_default_params();
  parameters.devices = devices.data();
  parameters.n_gpu_layers = device == "CPU" ? 0 : all_layers;
  parameters.no_alloc = header_only;
  if (header_only) parameters.load_mode = LLAMA_LOAD_MODE_NONE;
  if (progress) {
    parameters.progress_callback_user_data = &progress;
    parameters.progress_callback = [](float done, void* function) {
      (*static_cast<std::function<void(double)>*>(function))(done);
      return true;
    };
  }
  forget_errors();
  model_.reset(llama_model_load_from_file(file.c_str(), parameters));
  if (!model_) {
    throw Error(fmt::format("{}: truncated or damaged, or unknown to this llama.cpp: {}", file,
                            first_error()));
  }
  vocabulary_ = llama_model_get_vocab(get());
  if (!llama_model_has_decoder(get()) || llama_model_has_encoder(get())) {
    throw Error(fmt::format("{}: not a decoder-only model, there is no cache to measure", file));
  }
}

ModelFacts Model::facts() const {
  std::array<char, 256> architecture{};
  llama_model_meta_val_str(get(), "general.architecture", architecture.data(), architecture.size());
  return {
      .architecture = architecture.data(),
      .file_type = llama_ftype_name(llama_model_ftype(get())),
      .n_parameters = llama_model_n_params(get()),
      .file_bytes = fs::file_size(file_),
      .n_layers = llama_model_n_layer(get()),
      .n_heads = llama_model_n_head(get()),
      .n_kv_heads = llama_model_n_head_kv(get()),
      .sliding_window = llama_model_n_swa(get()),
  };
}

Token Model::bos() const {
  const Token token = llama_vocab_bos(vocabulary_);
  return token == LLAMA_TOKEN_NULL ? 0 : token;
}

std::vector<Token> Model::tokenize(std::string_view text) const {
  std::vector<Token> tokens(text.size() + 2);  // a token has at least a byte; BOS and EOS
  const std::int32_t n_tokens = llama_tokenize(vocabulary_, text.data(), text.size(), tokens.data(),
                                               tokens.size(), true, false);
  if (n_tokens < 0) throw Error(fmt::format("{}: llama.cpp cannot tokenize the text", file_));
  tokens.resize(n_tokens);
  return tokens;
}

}  // namespace kvsplit::host
