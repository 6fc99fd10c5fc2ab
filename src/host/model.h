#pragma once

#include <llama-cpp.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvsplit::host {

using Token = std::int32_t;

/// What a model file says of itself.
struct ModelFacts {
  std::string architecture, file_type;
  std::uint64_t n_parameters = 0, file_bytes = 0;
  int n_layers = 0, n_heads = 0, n_kv_heads = 0;
  int sliding_window = 0;  ///< tokens seen by its sliding-window layers; 0 = it has none
};

/// A GGUF model, loaded by llama.cpp for one device.
class Model {
 public:
  /// device: "KVSPLIT", "CPU" (llama.cpp as it comes, no plugin), or another that llama.cpp knows.
  /// progress, if given, is called with the part that is loaded, 0 … 1.
  /// Error: the file is missing, truncated or not a GGUF file; there is no such device.
  Model(const std::string& file, const std::string& device,
        std::function<void(double)> progress = {})
      : Model(file, device, std::move(progress), false) {}

  /// On KVSPLIT, but only the file's header is read: for footprint(), not for a Context.
  static Model without_weights(const std::string& file) { return {file, "KVSPLIT", {}, true}; }

  const std::string& file() const { return file_; }
  const std::string& device() const { return device_; }
  llama_model* get() const { return model_.get(); }

  ModelFacts facts() const;
  int n_context() const { return llama_model_n_ctx_train(get()); }  ///< tokens it was trained for
  int n_vocab() const { return llama_vocab_n_tokens(vocabulary_); }
  bool starts_with_bos() const { return llama_vocab_get_add_bos(vocabulary_); }
  /// A token to begin with: BOS, where there is none the first of the vocabulary.
  Token bos() const;

  /// With BOS in front where the model wants it; nothing in the text is read as a control token.
  std::vector<Token> tokenize(std::string_view text) const;

 private:
  Model(const std::string& file, const std::string& device, std::function<void(double)> progress,
        bool header_only);

  std::string file_, device_;
  llama_model_ptr model_;
  const llama_vocab* vocabulary_ = nullptr;  ///< the model's
};

}  // namespace kvsplit::host
