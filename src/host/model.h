#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct llama_model;
struct llama_vocab;

namespace kvsplit::host {

using Token = std::int32_t;

/// What a model file says of itself.
struct ModelFacts {
  std::string architecture, name, file_type;
  std::uint64_t n_parameters = 0, file_bytes = 0;
  int n_layers = 0, n_heads = 0, n_kv_heads = 0;
  int n_context = 0;       ///< tokens it was trained for
  int sliding_window = 0;  ///< tokens seen by its sliding-window layers; 0 = it has none
};

/// A GGUF model, loaded by llama.cpp for one device.
class Model {
 public:
  /// device: "KVSPLIT", "CPU" (llama.cpp as it comes, no plugin), or another that llama.cpp knows.
  /// progress, if given, is called with the part that is loaded, 0 … 1.
  /// Error: the file is missing, truncated or not a GGUF file; there is no such device.
  Model(const std::string& file, const std::string& device,
        std::function<void(double)> progress = {});

  const std::string& file() const { return file_; }
  const std::string& device() const { return device_; }
  llama_model* get() const { return model_.get(); }

  ModelFacts facts() const;
  int n_context() const;  ///< tokens it was trained for
  int n_vocab() const;
  bool starts_with_bos() const;
  Token bos()
      const;  ///< a token to begin with: BOS, where there is none the first of the vocabulary

  /// With BOS in front where the model wants it; nothing in the text is read as a control token.
  std::vector<Token> tokenize(std::string_view text) const;

 private:
  struct Free {
    void operator()(llama_model* model) const;
  };
  const llama_vocab* vocabulary() const;

  std::string file_, device_;
  std::unique_ptr<llama_model, Free> model_;
};

}  // namespace kvsplit::host
