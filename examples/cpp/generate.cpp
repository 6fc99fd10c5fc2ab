// libllama with the plugin, from C++: loads it, puts a model on its device, continues a text.
//   generate PLUGIN MODEL [TEXT]     $KVSPLIT says how many bits: K8V4, K4V4 …
#include <ggml-backend.h>
#include <llama.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

[[noreturn]] static void fail(const std::string& why) {
  std::fprintf(stderr, "generate: %s\n", why.c_str());
  std::exit(1);
}

int main(int argc, char** argv) {
  if (argc < 3) fail("expected PLUGIN MODEL [TEXT]");
  const std::string text = argc > 3 ? argv[3] : "Once upon a time";
  const auto only_errors = [](ggml_log_level level, const char* line, void*) {
    if (level >= GGML_LOG_LEVEL_WARN) std::fputs(line, stderr);
  };
  llama_log_set(only_errors, nullptr);

  // The processor's own device comes first: the plugin computes with its kernels.
  ggml_backend_load_all();
  if (ggml_backend_load(argv[1]) == nullptr) fail("the plugin cannot be loaded");
  ggml_backend_dev_t devices[] = {ggml_backend_dev_by_name("KVSPLIT"), nullptr};
  if (devices[0] == nullptr) fail("there is no device KVSPLIT");

  // All layers on the device, and with them their cache.
  llama_model_params model_params = llama_model_default_params();
  model_params.devices = devices;
  model_params.n_gpu_layers = 999;
  llama_model* model = llama_model_load_from_file(argv[2], model_params);
  if (model == nullptr) fail(std::string(argv[2]) + " cannot be loaded");

  llama_context_params params = llama_context_default_params();
  params.n_ctx = 1024;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;  // it reads the packed bits
  llama_context* context = llama_init_from_model(model, params);
  if (context == nullptr) fail("no context");

  const llama_vocab* vocab = llama_model_get_vocab(model);
  std::vector<llama_token> tokens(text.size() + 2);
  const int n_prompt = llama_tokenize(vocab, text.data(), static_cast<int>(text.size()),
                                      tokens.data(), static_cast<int>(tokens.size()), true, true);
  if (n_prompt <= 0) fail("the text cannot be tokenized");
  llama_sampler* sampler = llama_sampler_init_greedy();

  std::printf("%s", text.c_str());
  llama_batch batch = llama_batch_get_one(tokens.data(), n_prompt);
  llama_token token = 0;
  for (int i = 0; i < 32; ++i) {
    if (llama_decode(context, batch) != 0) fail("llama_decode failed");
    token = llama_sampler_sample(sampler, context, -1);
    if (llama_vocab_is_eog(vocab, token)) break;
    char piece[256];
    const int size = llama_token_to_piece(vocab, token, piece, sizeof piece, 0, false);
    std::printf("%.*s", size > 0 ? size : 0, piece);
    batch = llama_batch_get_one(&token, 1);
  }
  std::printf("\n");
  llama_sampler_free(sampler);
  llama_free(context);
  llama_model_free(model);
}
