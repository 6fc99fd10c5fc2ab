#include "host/model.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/error.h"
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
  std::vector<Token> tokens(text.size() + 2);  // a token has at least a byte; BOS and EOS
  const std::int32_t n_tokens = llama_tokenize(vocabulary_, text.data(), text.size(), tokens.data(),
                                               tokens.size(), true, false);
  if (n_tokens < 0) throw Error(fmt::format("{}: llama.cpp cannot tokenize the text", file_));
  tokens.resize(n_tokens);
  return tokens;
}

std::string plan_beside(const std::string& model_file) {
  return fs::path(model_file).replace_extension(".kvplan");
}

Precision with_plan(Precision precision, const std::string& model_file) {
  if (precision.plan == "auto") {
    precision.plan = plan_beside(model_file);
    if (!fs::exists(precision.plan)) {
      throw Error(precision.plan + ": no plan yet, kvsplit calibrate -m " + model_file +
                  " makes it");
    }
  }
  if (precision.plan.empty()) return precision;
  if (open_plan(precision.plan)->origin().model != WeightFile(model_file).fingerprint()) {
    throw Error(precision.plan + ": a plan for another model than " + model_file +
                ", kvsplit calibrate makes one for it");
  }
  return precision;
}

}  // namespace kvsplit::host
