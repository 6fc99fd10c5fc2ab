#pragma once

#include <llama.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace kvsplit::families {

/// Who holds the cache and computes on it: llama.cpp's own CPU device, or ours.
enum class Device { cpu, kvsplit };

/// A tiny model, all of it on one device. Error: it cannot be loaded.
class Model {
 public:
  /// name: "models/llama", a file of tests/data without its ending. first_position: where all
  /// texts begin; tests count from 0.
  Model(const std::string& name, Device device, llama_pos first_position = 0);

  llama_model* get() const { return model_.get(); }
  Device device() const { return device_; }
  llama_pos first_position() const { return first_position_; }

 private:
  struct Free {
    void operator()(llama_model* model) const { llama_model_free(model); }
  };
  Device device_;
  llama_pos first_position_;
  std::unique_ptr<llama_model, Free> model_;
};

struct CacheSettings {
  std::string precision = "FP16";                            ///< on KVSPLIT
  ggml_type k_type = GGML_TYPE_F16, v_type = GGML_TYPE_F16;  ///< what the host thinks it has
  bool flash_attention = true;
  bool unified = true;        ///< sequences share one stream of cells
  bool full_windows = false;  ///< sliding-window layers keep all tokens (or they cannot be shifted)
  int n_threads = 1;
};

struct Token {
  llama_token id = 0;
  llama_pos position = 0;
  llama_seq_id sequence = 0;
};

/// `n` tokens of one sequence from `first` on, the same for the same seed everywhere.
std::vector<Token> random_tokens(unsigned seed, int n, llama_pos first, llama_seq_id sequence);
std::vector<Token> joined(std::vector<Token> tokens, const std::vector<Token>& more);

/// A context with room for two sequences of 512 tokens, computing pieces of at most 128.
class Session {
 public:
  /// Error: the host does not make such a context.
  Session(const Model& model, const CacheSettings& settings);

  /// Logits [tokens.size(), n_vocab] of one llama_decode. Error: it failed, with the host's log.
  std::vector<float> decode(std::span<const Token> tokens);
  /// The same without logits; false where the host reports failure.
  bool try_decode(std::span<const Token> tokens);
  /// Embeddings [tokens.size(), n_embd] of one llama_encode, at most 128 tokens. Error: it failed.
  std::vector<float> encode(std::span<const Token> tokens);

  llama_memory_t memory() const { return llama_get_memory(context_.get()); }
  /// Tokens of a sequence at positions from `begin` on and before `end`, -1: all that follow, are
  /// removed, or moved by `shift`. False: they cannot be.
  bool remove(llama_seq_id sequence, llama_pos begin, llama_pos end);
  void move(llama_seq_id sequence, llama_pos begin, llama_pos end, llama_pos shift);

  std::vector<std::uint8_t> state();
  bool restore(std::span<const std::uint8_t> state);
  std::vector<std::uint8_t> sequence_state(llama_seq_id sequence);
  bool restore_sequence(std::span<const std::uint8_t> state, llama_seq_id sequence);

 private:
  struct Free {
    void operator()(llama_context* context) const { llama_free(context); }
  };
  llama_pos at(llama_pos position) const { return position < 0 ? -1 : first_ + position; }

  llama_pos first_;
  std::unique_ptr<llama_context, Free> context_;
};

/// Lines of warnings and errors that llama.cpp and we have logged since the last call.
std::string take_log();

/// Root of the mean square of a - b, in units of that of b.
double relative_error(std::span<const float> a, std::span<const float> b);

}  // namespace kvsplit::families
