#pragma once

#include <memory>
#include <string>

#include "report/records.h"

namespace kvsplit::report {

/// A list of objects with the keys of docs/results.md; null where nothing was measured.
std::string json(Records records);

/// The same keys as columns, in the same order; empty where nothing was measured.
std::string csv(Records records);

/// Writes one of them, as the name ends; to a .md file what the screen shows.
/// Error: another ending, or it cannot be written; what was there is as it was.
void write(const std::string& file, const std::string& json, const std::string& csv,
           const std::string& markdown);

/// Error: `file` ends in none of .json, .csv and .md. To be asked before measuring, not after.
void check_file_name(const std::string& file);

/// A .json file that grows by a record at a time and is whole at any moment: whoever is stopped
/// goes on from it.
class ResultFile {
 public:
  /// What is there already stays. Error: it is damaged, or has other keys than docs/results.md.
  explicit ResultFile(std::string file);
  ~ResultFile();

  /// Whether there is a record of this cache and context measured with the same model, machine,
  /// threads and versions.
  bool has(const measure::CacheRecord& record) const;
  /// Error: the file cannot be written; it is what it was before.
  void add(const measure::CacheRecord& record);
  /// Writes the same as CSV.
  void write_csv(const std::string& file) const;

 private:
  struct Content;
  std::string file_;
  std::unique_ptr<Content> content_;
};

}  // namespace kvsplit::report
