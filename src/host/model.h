#pragma once

#include <llama-cpp.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/precision.h"

namespace kvsplit::host {

using Token = std::int32_t;

/// What a model file says of itself.
struct ModelFacts {
  std::string architecture, file_type;
  std::uint64_t n_parameters = 0, file_bytes = 0;
  int n_layers = 0, n_heads = 0, n_kv_heads = 0;
  int sliding_window = 0;  ///< tokens seen by its sliding-window layers; 0 = it has none
};

/// A file as it is; with all weights in 32 bits, of a copy that llama.cpp makes in the folder for
/// temporary files and that is gone when it is loaded; or its header alone, for footprint().
enum class ModelForm : std::uint8_t { as_it_is, as_f32, header };

/// A GGUF model, loaded by llama.cpp for one device.
class Model {
 public:
  /// device: "KVSPLIT", "CPU" (llama.cpp as it comes, no plugin), or another that llama.cpp knows.
  /// progress, if given, is called with the part that is loaded, 0 … 1.
  /// Error: the file is missing, truncated or not a GGUF file; there is no such device; there is no
  /// room for the copy.
  Model(const std::string& file, const std::string& device,
        std::function<void(double)> progress = {}, ModelForm form = ModelForm::as_it_is);

  const std::string& file() const { return file_; }
  std::string name() const;  ///< the file's, and whether it is a copy as F32
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
  std::string file_, device_;
  ModelForm form_ = ModelForm::as_it_is;
  llama_model_ptr model_;
  const llama_vocab* vocabulary_ = nullptr;  ///< the model's
};

/// A model's plan: beside it, "model.gguf" has "model.kvplan", or in the user's cache folder under
/// the model's fingerprint. "": there is none.
std::string find_plan(const std::string& model_file);

/// Where a new plan goes: beside the model, or where nothing can be written there into the cache
/// folder, which is made.
std::string place_for_plan(const std::string& model_file);

/// The precision with the model's plan for `plan=auto`. Error: there is none, or the precision's
/// plan is for another model.
Precision with_plan(Precision precision, const std::string& model_file);

/// "", or why this precision would wreck this model: keys with large biases (Qwen 2.5 has some of
/// a hundred) leave few bits for what differs, unless a plan takes the biases off.
std::string danger(const Precision& precision, const std::string& model_file);

}  // namespace kvsplit::host
