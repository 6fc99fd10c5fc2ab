// Any bytes are a result file or refused; what is read can be looked at and written as CSV.
#include "report/result_file.h"

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "fuzz/support/temporary_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvsplit;
  static const fuzz::TemporaryFile file;
  try {
    const report::ResultFile results(file.holding({reinterpret_cast<const char*>(data), size}));
    results.has({});
    results.write_csv("/dev/null.csv");
  } catch (const Error&) {
  }
  return 0;
}
