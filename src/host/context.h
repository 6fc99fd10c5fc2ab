#pragma once

#include <ggml.h>
#include <llama-cpp.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "cache/precision.h"
#include "host/model.h"
#include "plugin/plugin.h"

namespace kvsplit::host {

/// Which cache a context gets: a packed one of ours, or one of llama.cpp's own types.
struct CacheChoice {
  bool is_packed = true;
  Precision precision = {};                                  ///< of a packed one
  ggml_type k_type = GGML_TYPE_F16, v_type = GGML_TYPE_F16;  ///< of one of llama.cpp's own

  /// As the user writes it: "K8V4" or "q8_0/q4_0".
  std::string name() const;
  int k_bits() const;
  int v_bits() const;
};

CacheChoice kvsplit_cache(const Precision&);

/// "q8_0/q4_0" or "q8_0" (both sides). Error: no cache type of llama.cpp; the message lists them.
CacheChoice parse_stock_cache(std::string_view text);

struct ContextOptions {
  CacheChoice cache = {};
  int n_context = 2048;  ///< cells of the cache; llama.cpp rounds up to 256
  int n_batch = 512;     ///< most tokens of one decode()
  int n_ubatch = 512;    ///< most tokens of one graph; larger batches take several
  int n_outputs = 128;   ///< most rows of logits of one decode()
  int n_threads = 1;
};

/// Memory of a cache, all layers, from what was allocated.
using CacheSize = CacheSum;

/// What a context takes with all that belongs to it, by llama.cpp's own account.
struct Footprint {
  int n_context = 0;        ///< tokens, as rounded up
  CacheSize cache = {};     ///< the same as Context::cache_size()
  std::size_t weights = 0;  ///< the file, mapped, and copies of weights in this processor's order
  std::size_t working = 0;  ///< of a graph's intermediate results; states of recurrent layers

  std::size_t bytes() const { return cache.bytes() + weights + working; }
};

/// Of a packed cache, before it is made: `model` is a ModelForm::header, nothing is allocated.
/// Error: as for Context.
Footprint footprint(const Model& model, const ContextOptions& options);

/// One sequence on one model, with its own cache.
class Context {
 public:
  /// The model must outlive it, and be on "KVSPLIT" for a cache of kvsplit and elsewhere for a
  /// stock one. Error: llama.cpp cannot make it, with its reason.
  Context(const Model& model, const ContextOptions& options);

  int n_batch() const { return options_.n_batch; }
  int n_outputs() const { return options_.n_outputs; }
  int n_vocab() const { return n_vocab_; }

  /// What the cache of a kvsplit context takes, as allocated.
  const CacheSize& cache_size() const { return size_; }

  /// Appends tokens to the sequence; logits are kept from the token `first_output` of them on.
  /// Returns when they are there. Error: llama.cpp fails, with its reason.
  void decode(std::span<const Token> tokens, std::size_t first_output);

  /// Of the last decode: [tokens.size() - first_output, n_vocab]. Valid until the next one.
  std::span<const float> logits() const;

  int n_past() const { return n_past_; }  ///< tokens in the sequence

  /// Forgets the tokens from position n_tokens on. False where the model no longer has what stood
  /// there (a recurrent state, the oldest tokens of a sliding window): clear() and decode again.
  bool truncate(int n_tokens);
  void clear();

 private:
  ContextOptions options_;
  llama_context_ptr context_;
  CacheSize size_;
  int n_vocab_ = 0;
  int n_past_ = 0;
  std::size_t n_logit_rows_ = 0;
};

}  // namespace kvsplit::host
