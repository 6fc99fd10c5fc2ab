#pragma once

#include <string>
#include <vector>

namespace kvsplit::host {

/// A tensor of a model file as numbers: [n_rows, n_columns].
struct Weights {
  int n_rows = 0, n_columns = 0;
  std::vector<float> numbers;
};

/// Reads a tensor from a GGUF file, of whatever type, through ggml. Empty where there is none of
/// that name. Error: no GGUF file, or a truncated one.
Weights read_weights(const std::string& file, const std::string& name);

}  // namespace kvsplit::host
