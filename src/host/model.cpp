#include "host/model.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/system.h"
#include "cache/plan.h"
#include "host/backend.h"
#include "host/weights.h"

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

/// Reads a copy with all weights in 32 bits; once it is open its file is not needed any more.
llama_model* load_as_f32(const std::string& file, const llama_model_params& parameters) {
  const std::string copy = fs::temp_directory_path() / fmt::format("kvsplit-{}-f32.gguf", getpid());
  llama_model_quantize_params quantize = llama_model_quantize_default_params();
  quantize.ftype = LLAMA_FTYPE_ALL_F32;
  quantize.allow_requantize = true;
  llama_model* model = nullptr;
  if (llama_model_quantize(file.c_str(), copy.c_str(), &quantize) == 0) {
    model = llama_model_load_from_file(copy.c_str(), parameters);
  }
  std::remove(copy.c_str());
  return model;
}

fs::path plan_beside(const std::string& model_file) {
  return fs::path(model_file).replace_extension(".kvplan");
}

/// As scripts/common.sh finds the folder.
fs::path plan_in_cache(const std::string& model_file) {
  const fs::path home = environment("HOME");
#ifdef __APPLE__
  const fs::path folder = home / "Library/Caches";
#else
  const std::string named = environment("XDG_CACHE_HOME");
  const fs::path folder = named.empty() ? home / ".cache" : fs::path(named);
#endif
  return folder / "kvsplit/plans" /
         fmt::format("{:016x}.kvplan", WeightFile(model_file).fingerprint());
}

/// 0 also of what is no model: whoever loads it says so better.
float largest_key_bias(const std::string& model_file) try {
  if (!fs::exists(model_file)) return 0;
  const WeightFile file(model_file);
  float largest = 0;
  for (int layer = 0;; ++layer) {
    const Weights biases = file.read(fmt::format("blk.{}.attn_k.bias", layer));
    if (biases.numbers.empty()) return largest;
    for (const float bias : biases.numbers) largest = std::max(largest, std::abs(bias));
  }
} catch (const Error&) {
  return 0;
}

}  // namespace

Model::Model(const std::string& file, const std::string& device,
             std::function<void(double)> progress, ModelForm form)
    : file_(file), device_(device), form_(form) {
  check_file(file);
  // An empty list is not "none given": it keeps the weights, and so the cache, on the plain CPU.
  std::array<ggml_backend_dev_t, 2> devices{};
  if (device != "CPU") devices[0] = find_device(device);
  llama_model_params parameters = llama_model_default_params();
  parameters.devices = devices.data();
  parameters.n_gpu_layers = device == "CPU" ? 0 : all_layers;
  parameters.no_alloc = form == ModelForm::header;
  if (form == ModelForm::header) parameters.load_mode = LLAMA_LOAD_MODE_NONE;
  if (progress) {
    parameters.progress_callback_user_data = &progress;
    parameters.progress_callback = [](float done, void* function) {
      (*static_cast<std::function<void(double)>*>(function))(done);
      return true;
    };
  }
  forget_errors();
  model_.reset(form == ModelForm::as_f32 ? load_as_f32(file, parameters)
                                         : llama_model_load_from_file(file.c_str(), parameters));
  if (!model_) {
    throw Error(fmt::format("{}: truncated or damaged, or unknown to this llama.cpp: {}", file,
                            first_error()));
  }
  vocabulary_ = llama_model_get_vocab(get());
  if (!llama_model_has_decoder(get()) || llama_model_has_encoder(get())) {
    throw Error(fmt::format("{}: not a decoder-only model, there is no cache to measure", file));
  }
}

std::string Model::name() const {
  return fs::path(file_).filename().string() + (form_ == ModelForm::as_f32 ? " as F32" : "");
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
  if (llama_vocab_type(vocabulary_) == LLAMA_VOCAB_TYPE_NONE) {
    throw Error(file_ + ": has no tokenizer, text cannot be measured with it");
  }
  std::vector<Token> tokens(text.size() + 2);  // a token has at least a byte; BOS and EOS
  const std::int32_t n_tokens = llama_tokenize(vocabulary_, text.data(), text.size(), tokens.data(),
                                               tokens.size(), true, false);
  if (n_tokens < 0) throw Error(fmt::format("{}: llama.cpp cannot tokenize the text", file_));
  tokens.resize(n_tokens);
  return tokens;
}

std::string find_plan(const std::string& model_file) {
  const fs::path beside = plan_beside(model_file);
  if (fs::exists(beside)) return beside;
  const fs::path in_cache = plan_in_cache(model_file);  // which reads all vectors of the model
  return fs::exists(in_cache) ? in_cache.string() : "";
}

std::string place_for_plan(const std::string& model_file) {
  const fs::path beside = plan_beside(model_file);
  const fs::path folder = beside.has_parent_path() ? beside.parent_path() : ".";
  if (access(folder.c_str(), W_OK) == 0) return beside;
  const fs::path in_cache = plan_in_cache(model_file);
  fs::create_directories(in_cache.parent_path());
  return in_cache;
}

Precision with_plan(Precision precision, const std::string& model_file) {
  if (precision.plan == "auto") {
    precision.plan = find_plan(model_file);
    if (precision.plan.empty()) {
      throw Error(fmt::format("{}: no plan yet, kvsplit calibrate -m {} makes it",
                              plan_beside(model_file).string(), model_file));
    }
  }
  if (precision.plan.empty()) return precision;
  if (open_plan(precision.plan)->origin().model != WeightFile(model_file).fingerprint()) {
    throw Error(precision.plan + ": a plan for another model than " + model_file +
                ", kvsplit calibrate makes one for it");
  }
  return precision;
}

std::string danger(const Precision& precision, const std::string& model_file) {
  constexpr int enough_bits = 8;
  constexpr float large = 20;
  if (!precision.plan.empty() || precision.k_bits >= enough_bits) return "";
  const float largest = largest_key_bias(model_file);
  if (largest < large) return "";
  return fmt::format(
      "{}: keys with biases up to {:.0f}, which {} bits without a plan can destroy: "
      "kvsplit calibrate -m {}, then --kvq auto",
      fs::path(model_file).filename().string(), largest, precision.k_bits, model_file);
}

}  // namespace kvsplit::host
