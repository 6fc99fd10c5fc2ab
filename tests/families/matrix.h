#pragma once

#include <llama.h>

#include <array>
#include <ostream>

namespace kvsplit::families {

/// A tiny model and what our device should make of its caches.
struct Family {
  const char* name;    ///< of the file; what comes before a "-" names the architecture mostly
  const char* shape;   ///< what is special about its attention, for docs/models.md
  int n_layers = 2;    ///< with attention
  int n_packed = 4;    ///< cache tensors, of keys and of values
  int n_unpacked = 0;  ///< those that stay in 16 bits
  std::array<const char*, 2> why = {};  ///< they do, as the log says it
  llama_pos first_position = 0;         ///< of all texts
  bool shifts = true;                   ///< llama.cpp moves the rest of a text to earlier positions
  bool windows = false;                 ///< some layers see a sliding window only
  bool recurrent = false;     ///< some layers have a state instead: no removal of single tokens
  bool host_rotates = false;  ///< llama.cpp turns rows by a Hadamard where its type is quantised

  bool packed() const { return n_packed > 0; }
};

inline constexpr const char* latent = "keys and values are one tensor";
inline constexpr const char* unread = "not read by flash attention";

inline constexpr Family all_families[] = {
    {.name = "llama", .shape = "grouped queries, rotary positions"},
    {.name = "llama-head64", .shape = "heads of 64", .host_rotates = true},
    {.name = "llama-head48",
     .shape = "heads of 48",
     .n_packed = 0,
     .n_unpacked = 4,
     .why = {"head size 48 is not a multiple of 32"}},
    {.name = "llama-head40",
     .shape = "one head of 40",
     .n_packed = 0,
     .n_unpacked = 4,
     .why = {"rows of 40 numbers, no multiple of 32"}},
    {.name = "mixtral", .shape = "as llama, experts"},
    // Its chunks are 8,192 tokens long whatever a file says: texts begin shortly before a border.
    {.name = "llama4",
     .shape = "chunks in 3 of 4 layers; the fourth without rotary positions, warming up",
     .n_layers = 4,
     .n_packed = 8,
     .first_position = 8192 - 130,
     .windows = true},
    {.name = "gemma2",
     .shape = "windows in every second layer, capped scores",
     .n_layers = 4,
     .n_packed = 8,
     .windows = true},
    {.name = "gemma3",
     .shape = "windows, normed queries and keys, heads of 256",
     .windows = true,
     .host_rotates = true},
    {.name = "gemma3n", .shape = "windows, scores not scaled, normed values", .windows = true},
    {.name = "gemma4",
     .shape = "windows with heads of another size; layers that read the caches of others; values "
              "that are the keys",
     .n_layers = 4,
     .windows = true,
     .host_rotates = true},
    {.name = "qwen2", .shape = "keys with large biases"},
    {.name = "qwen3", .shape = "normed queries and keys, seven heads of queries to one of keys"},
    {.name = "qwen2moe", .shape = "as qwen2, experts"},
    {.name = "qwen3moe", .shape = "as qwen3, experts"},
    {.name = "qwen3next",
     .shape = "a gated delta rule in every second layer, gated attention in the others",
     .n_layers = 1,
     .n_packed = 2,
     .recurrent = true},
    {.name = "qwen2vl",
     .shape = "three positions to a token; llama.cpp does not move them",
     .shifts = false},
    {.name = "phi2", .shape = "half of each head turns"},
    {.name = "phi3", .shape = "heads of 96, one matrix for all three"},
    {.name = "stablelm", .shape = "a quarter of each head turns, normed per head"},
    {.name = "falcon", .shape = "one head of keys and values for all"},
    {.name = "gptneox", .shape = "a quarter of each head turns, biases"},
    {.name = "mpt", .shape = "ALiBi, three heads"},
    {.name = "gpt-oss", .shape = "sinks, windows, biases, experts", .windows = true},
    {.name = "starcoder2", .shape = "biases everywhere"},
    {.name = "command-r", .shape = "attention beside the feed forward"},
    {.name = "cohere2",
     .shape = "windows with rotary positions, all tokens without",
     .windows = true},
    {.name = "olmo2", .shape = "a norm over all heads of queries, one over all of keys"},
    {.name = "granite", .shape = "scores with a factor of the file's"},
    {.name = "minicpm", .shape = "as granite, factors of llama.cpp's"},
    {.name = "glm4", .shape = "half of each head turns, neighbours together; biases"},
    {.name = "deepseek2",
     .shape = "latent: one row for keys and values of all heads",
     .n_packed = 0,
     .n_unpacked = 2,
     .why = {latent}},
    {.name = "deepseek2-heads", .shape = "latent, stored as heads: keys of 96, values of 64"},
    {.name = "deepseek32",
     .shape = "latent; an indexer with keys of its own chooses cells",
     .n_packed = 0,
     .n_unpacked = 4,
     .why = {latent, unread}},
    {.name = "lfm2",
     .shape = "short convolutions in every second layer, attention in the others",
     .recurrent = true},
    {.name = "mamba",
     .shape = "none, a recurrent state",
     .n_layers = 0,
     .n_packed = 0,
     .recurrent = true},
};

/// Those that encode have no logits for a talk: encoder_test.cpp runs them.
inline constexpr Family encoders[] = {
    {.name = "bert", .shape = "an encoder, which keeps nothing", .n_packed = 0},
    {.name = "t5",
     .shape = "an encoder, and a decoder with a bias per distance",
     .n_packed = 0,
     .n_unpacked = 4,
     .why = {unread}},
};

inline std::ostream& operator<<(std::ostream& out, const Family& family) {
  return out << family.name;
}

}  // namespace kvsplit::families
