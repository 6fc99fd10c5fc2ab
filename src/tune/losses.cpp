#include "tune/losses.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/system.h"

namespace kvsplit::tune {
namespace {

constexpr std::size_t at_once = 8;  // caches measured beside one of 16 bits

int number_in(const char* variable, int usual) {
  const std::string text = environment(variable);
  return text.empty() ? usual : std::stoi(text);
}

// A line each: a number, a space, a name. A process that was killed may have left half a line; what
// comes next begins on a new one.
void append(const std::string& file, const std::string& line) {
  if (!(std::ofstream(file, std::ios::app) << "\n" + line + "\n").flush()) {
    throw Error(file + ": cannot be written");
  }
}

Losses read(const std::string& file) {
  Losses losses;
  std::ifstream in(file);
  std::string line;
  for (std::getline(in, line); std::getline(in, line) && !in.eof();) {
    char* name = nullptr;
    const double loss = std::strtod(line.c_str(), &name);
    if (*name == ' ') losses[name + 1] = loss;
  }
  return losses;
}

void begin(const std::string& file, const std::string& search) {
  std::string found;
  std::getline(std::ifstream(file), found);
  if (found == search) return;
  if (!(std::ofstream(file, std::ios::trunc) << search + "\n").flush()) {
    throw Error(file + ": cannot be written");
  }
}

}  // namespace

Share share_of_environment() {
  return {number_in("OMPI_COMM_WORLD_RANK", 0), number_in("OMPI_COMM_WORLD_SIZE", 1)};
}

Losses measure_losses(measure::ComparisonCall call, const std::vector<host::CacheChoice>& caches,
                      const std::string& file, const std::string& search, Share share) {
  begin(file, search);
  const Losses known = read(file);
  std::vector<host::CacheChoice> mine;
  for (std::size_t i = share.process; i < caches.size(); i += share.n_processes) {
    if (!known.contains(caches[i].name())) mine.push_back(caches[i]);
  }
  const measure::Progress progress = call.progress;
  for (std::size_t first = 0; first < mine.size(); first += at_once) {
    const std::size_t n = std::min(at_once, mine.size() - first);
    std::vector<host::CacheChoice> some = {host::kvsplit_cache({16, 16})};
    some.insert(some.end(), &mine[first], &mine[first] + n);
    call.caches = some;
    call.progress = [&](const std::string& /*what*/, double done) {
      progress("tuning", (first + n * done) / mine.size());
    };
    for (const measure::CacheRecord& record : measure::compare_caches(call)) {
      append(file, fmt::format("{} {}", *record.kl_mean, record.cache));
    }
  }
  Losses all;
  const auto is_known = [&](const host::CacheChoice& cache) { return all.contains(cache.name()); };
  while (!std::ranges::all_of(caches, is_known)) {
    if (!all.empty()) std::this_thread::sleep_for(std::chrono::seconds(1));
    all = read(file);
  }
  return all;
}

}  // namespace kvsplit::tune
