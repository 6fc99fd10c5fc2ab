#include "cli/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <fstream>
#include <memory>
#include <vector>

#include "base/error.h"

namespace kvsplit::cli {

std::string sha256_of(const std::filesystem::path& file) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest(EVP_MD_CTX_new(),
                                                                       EVP_MD_CTX_free);
  std::ifstream stream(file, std::ios::binary);
  bool is_good = stream.good() && EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) == 1;
  std::vector<char> buffer(1 << 20);
  while (is_good && stream) {
    stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    const auto n_read = static_cast<std::size_t>(stream.gcount());
    is_good = EVP_DigestUpdate(digest.get(), buffer.data(), n_read) == 1;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int length = 0;
  is_good = is_good && stream.eof() && EVP_DigestFinal_ex(digest.get(), bytes.data(), &length) == 1;
  if (!is_good) throw Error(fmt::format("{}: cannot be read", file.string()));
  std::string digits;
  for (unsigned int i = 0; i < length; ++i) digits += fmt::format("{:02x}", bytes[i]);
  return digits;
}

}  // namespace kvsplit::cli
