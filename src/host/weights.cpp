#include "host/weights.h"

#include <ggml.h>
#include <gguf.h>

#include <cstring>
#include <fstream>

#include "base/error.h"

namespace kvsplit::host {
namespace {

// The descriptions of a file's tensors, without their numbers.
struct Description {
  explicit Description(const std::string& file) {
    gguf_init_params parameters{};
    parameters.no_alloc = true;
    parameters.ctx = &tensors;
    header = gguf_init_from_file(file.c_str(), parameters);
    if (header == nullptr) throw Error(file + ": no GGUF file");
  }
  ~Description() {
    gguf_free(header);
    ggml_free(tensors);
  }
  Description(const Description&) = delete;
  Description& operator=(const Description&) = delete;

  ggml_context* tensors = nullptr;
  gguf_context* header = nullptr;
};

}  // namespace

Weights read_weights(const std::string& file, const std::string& name) {
  const Description description(file);
  const ggml_tensor* const tensor = ggml_get_tensor(description.tensors, name.c_str());
  if (tensor == nullptr) return {};
  const std::size_t offset =
      gguf_get_data_offset(description.header) +
      gguf_get_tensor_offset(description.header,
                             gguf_find_tensor(description.header, name.c_str()));
  std::vector<char> bytes(ggml_nbytes(tensor));
  std::ifstream in(file, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(offset));
  if (!in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
    throw Error(file + ": ends within " + name);
  }
  Weights weights{static_cast<int>(tensor->ne[1]), static_cast<int>(tensor->ne[0]), {}};
  weights.numbers.resize(static_cast<std::size_t>(ggml_nelements(tensor)));
  if (tensor->type == GGML_TYPE_F32) {
    std::memcpy(weights.numbers.data(), bytes.data(), bytes.size());
  } else {
    ggml_get_type_traits(tensor->type)
        ->to_float(bytes.data(), weights.numbers.data(), ggml_nelements(tensor));
  }
  return weights;
}

}  // namespace kvsplit::host
