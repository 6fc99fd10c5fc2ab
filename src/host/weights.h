#pragma once

#include <ggml-cpp.h>

#include <cstdint>
#include <string>
#include <vector>

namespace kvsplit::host {

/// A tensor of a model file as numbers: [n_rows, n_columns].
struct Weights {
  int n_rows = 0, n_columns = 0;
  std::vector<float> numbers;
};

/// A GGUF file whose header is read once, for tensors of whatever type.
class WeightFile {
 public:
  /// Error: no GGUF file.
  explicit WeightFile(const std::string& file);

  /// Empty where there is none of that name. Error: a truncated file.
  Weights read(const std::string& name) const;

  /// Tells models apart in whatever types their matrices are: a hash of the vectors (norms and
  /// biases), which all files of a model have in 32 bits. Error: a truncated file.
  std::uint64_t fingerprint() const;

 private:
  std::string bytes(const ggml_tensor* tensor) const;

  std::string file_;
  ggml_context_ptr tensors_;  ///< without their numbers
  gguf_context_ptr header_;
};

}  // namespace kvsplit::host
