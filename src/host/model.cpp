#include "host/model.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "host/backend.h"
#include "host/log.h"

namespace kvsplit::host {
namespace {

namespace fs = std::filesystem;

constexpr int all_layers = 999;

std::string printable(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += std::isprint(byte) != 0 ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return text;
}

/// llama.cpp says "failed to load model" to all of these; people want to know which it is.
void check_file(const std::string& file) {
  if (!fs::exists(file)) throw Error(fmt::format("{}: no such file", file));
  if (fs::is_directory(file)) {
    throw Error(fmt::format("{}: a folder, expected a GGUF model file", file));
  }
  std::array<char, 4> magic{};
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw Error(fmt::format("{}: cannot be read, check its permissions", file));
  stream.read(magic.data(), magic.size());
  const std::string_view found(magic.data(), static_cast<std::size_t>(stream.gcount()));
  if (found.empty()) throw Error(fmt::format("{}: empty, get the file again", file));
  if (found != "GGUF") {
    throw Error(fmt::format("{}: not a GGUF model: starts with '{}', expected 'GGUF'", file,
                            printable(found)));
  }
}

std::string load_failure(const std::string& file, std::string reason) {
  constexpr std::string_view prefix = "error loading model: ";
  if (reason.starts_with(prefix)) reason.erase(0, prefix.size());
  const bool is_cut = reason.find("not within the file bounds") != std::string::npos ||
                      reason.starts_with("gguf") || reason.starts_with("failed to read") ||
                      reason.find("failed to load model from") != std::string::npos;
  if (is_cut) {
    return fmt::format("{}: truncated or damaged, get the file again ({})", file, reason);
  }
  return fmt::format("{}: llama.cpp cannot load it: {}", file, reason);
}

std::string metadata(const llama_model* model, const char* key) {
  std::array<char, 256> text{};
  return llama_model_meta_val_str(model, key, text.data(), text.size()) < 0 ? "" : text.data();
}

}  // namespace

Model::Model(const std::string& file, const std::string& device,
             std::function<void(double)> progress)
    : file_(file), device_(device) {
  check_file(file);
  // An empty list is not "none given": it keeps the weights, and so the cache, on the plain CPU.
  std::array<ggml_backend_dev_t, 2> devices{};
  if (device != "CPU") devices[0] = find_device(device);
  llama_model_params parameters = llama_model_default_params();
  parameters.devices = devices.data();
  parameters.n_gpu_layers = device == "CPU" ? 0 : all_layers;
  if (progress) {
    parameters.progress_callback_user_data = &progress;
    parameters.progress_callback = [](float done, void* function) {
      (*static_cast<std::function<void(double)>*>(function))(done);
      return true;
    };
  }
  const LogCapture log;
  model_.reset(llama_model_load_from_file(file.c_str(), parameters));
  if (!model_) throw Error(load_failure(file, log.first_error()));
  vocabulary_ = llama_model_get_vocab(get());
  if (!llama_model_has_decoder(get()) || llama_model_has_encoder(get())) {
    throw Error(fmt::format("{}: not a decoder-only model, there is no cache to measure", file));
  }
}

ModelFacts Model::facts() const {
  ModelFacts facts;
  facts.architecture = metadata(get(), "general.architecture");
  facts.name = metadata(get(), "general.name");
  facts.file_type = llama_ftype_name(llama_model_ftype(get()));
  facts.n_parameters = llama_model_n_params(get());
  facts.file_bytes = fs::file_size(file_);
  facts.n_layers = llama_model_n_layer(get());
  facts.n_heads = llama_model_n_head(get());
  facts.n_kv_heads = llama_model_n_head_kv(get());
  facts.n_context = n_context();
  facts.sliding_window = llama_model_n_swa(get());
  return facts;
}

int Model::n_context() const { return llama_model_n_ctx_train(get()); }

int Model::n_vocab() const { return llama_vocab_n_tokens(vocabulary_); }

bool Model::starts_with_bos() const { return llama_vocab_get_add_bos(vocabulary_); }

Token Model::bos() const {
  const Token token = llama_vocab_bos(vocabulary_);
  return token == LLAMA_TOKEN_NULL ? 0 : token;
}

std::vector<Token> Model::tokenize(std::string_view text) const {
  const auto length = static_cast<std::int32_t>(text.size());
  std::vector<Token> tokens(text.size() + 2);  // a token has at least a byte; BOS and EOS
  const std::int32_t n_tokens =
      llama_tokenize(vocabulary_, text.data(), length, tokens.data(),
                     static_cast<std::int32_t>(tokens.size()), true, false);
  if (n_tokens < 0) throw Error(fmt::format("{}: llama.cpp cannot tokenize the text", file_));
  tokens.resize(static_cast<std::size_t>(n_tokens));
  return tokens;
}

}  // namespace kvsplit::host
