#include "report/speed_table.h"

#include <fmt/format.h>

#include "report/numbers.h"

namespace kvsplit::report {
namespace {

using measure::CacheRecord;
using measure::Rate;

/// Prompts, or single tokens.
struct Side {
  std::string title;
  std::optional<Rate> CacheRecord::*rate;
};

}  // namespace

std::string setting_text(const measure::Setting& setting) {
  return fmt::format("{} on {}, {} threads, {} kernels\nkvsplit {}, llama.cpp {} (ggml {}), {}\n",
                     setting.model, setting.cpu, setting.threads, setting.kernels, setting.kvsplit,
                     setting.llama_cpp, setting.ggml, setting.date);
}

Table speed_table(Records records) {
  std::vector<Side> sides = {{"prompt t/s", &CacheRecord::prompt},
                             {"decode t/s", &CacheRecord::decode}};
  std::erase_if(sides, [&](const Side& side) { return !(records[0].*side.rate); });
  Table table;
  table.add_column("depth");
  table.add_column("cache", Table::Align::left);
  table.add_column("engine", Table::Align::left);
  for (const Side& side : sides) {
    table.add_column(side.title);
    table.add_column("min … max");
    table.add_column("× " + records[0].cache);
  }
  for (const CacheRecord& record : records) {
    std::vector<std::string> cells = {grouped(record.depth.value_or(0)), record.cache,
                                      record.engine};
    for (const Side& side : sides) {
      const Rate rate = (record.*side.rate).value_or(Rate{});
      cells.push_back(significant(rate.median));
      cells.push_back(significant(rate.min) + " … " + significant(rate.max));
      cells.push_back(fmt::format("{:.2f}", rate.ratio));
    }
    table.add_row(std::move(cells));
  }
  return table;
}

}  // namespace kvsplit::report
