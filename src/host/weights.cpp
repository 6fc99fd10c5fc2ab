#include "host/weights.h"

#include <cstring>
#include <fstream>

#include "base/error.h"
#include "codec/row_format.h"

namespace kvsplit::host {

WeightFile::WeightFile(const std::string& file) : file_(file) {
  ggml_context* tensors = nullptr;
  header_.reset(gguf_init_from_file(file.c_str(), {.no_alloc = true, .ctx = &tensors}));
  tensors_.reset(tensors);
  if (!header_) throw Error(file + ": no GGUF file");
}

std::string WeightFile::bytes(const ggml_tensor* tensor) const {
  const std::size_t offset =
      gguf_get_data_offset(header_.get()) +
      gguf_get_tensor_offset(header_.get(), gguf_find_tensor(header_.get(), tensor->name));
  std::string bytes(ggml_nbytes(tensor), '\0');
  std::ifstream in(file_, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(offset));
  if (!in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
    throw Error(file_ + ": truncated or damaged, ends within " + tensor->name);
  }
  return bytes;
}

std::uint64_t WeightFile::fingerprint() const {
  std::uint64_t sum = 0;  // files have their tensors in any order
  for (ggml_tensor* tensor = ggml_get_first_tensor(tensors_.get()); tensor != nullptr;
       tensor = ggml_get_next_tensor(tensors_.get(), tensor)) {
    if (ggml_n_dims(tensor) == 1) sum += fnv1a(tensor->name + bytes(tensor));
  }
  return sum;
}

Weights WeightFile::read(const std::string& name) const {
  const ggml_tensor* const tensor = ggml_get_tensor(tensors_.get(), name.c_str());
  if (tensor == nullptr) return {};
  const std::string bytes = this->bytes(tensor);
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
