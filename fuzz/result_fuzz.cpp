// Any bytes are a result file or refused; what is read can be looked at, written as CSV, and made a
// page of.
#include "report/result_file.h"

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "fuzz/support/temporary_file.h"
#include "report/charts.h"
#include "report/page.h"

namespace {

void make_page(const std::string& file) {
  using namespace kvsplit::report;
  const Results results = read_results(std::vector{file});
  const std::vector<Chart> charts = charts_of(results);
  const std::string drawn = "<svg><title></title><desc></desc></svg>";
  std::vector<std::string> pictures;
  for (const Chart& chart : charts) {
    drawing(chart);
    pictures.push_back(finished(drawn, chart, ""));
  }
  page("$models $setting $records $charts", results, charts, pictures);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvsplit;
  static const fuzz::TemporaryFile file;
  const std::string name = file.holding({reinterpret_cast<const char*>(data), size});
  try {
    const report::ResultFile results(name);
    results.has({});
    results.write_csv("/dev/null.csv");
  } catch (const Error&) {
  }
  try {
    make_page(name);
  } catch (const Error&) {
  }
  return 0;
}
