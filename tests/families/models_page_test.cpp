// docs/models.md: what is packed of each family, and what it costs. `make models` writes it.
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <sstream>

#include "kvsplit_build_config.h"
#include "tests/families/families.h"

namespace kvsplit::families {
namespace {

constexpr const char* title = R"(# Which models

Written by `make models` with )";

constexpr const char* introduction = R"(.

`tests/families` holds a tiny model of each family, with random weights, against llama.cpp's own CPU
device: logits, texts cut into batches otherwise, sequences that are removed, copied and shifted,
saved sessions, two models at once. Where caches stay in 16 bits a model runs as it does without the
plugin, and a line of the log says why. In any family heads of more than 256 numbers stay so.

Numbers are by how much the logits of a talk in two texts of 307 and 176 tokens differ from those of
caches in 32 bits: the root of the mean square, in percent of that of the logits. Random weights are
harder on caches than trained ones, and few heads and layers average little out, so these are no
losses of real models ([quality.md](quality.md) has those). What they show is whether a kind of
attention suits packed rows: beside them is what llama.cpp's own types lose on the same model.

)";

constexpr const char* end = R"(
## What has no model here

* Mistral with a sliding window: llama.cpp runs Mistral as `llama` and reads no window.
* Gemma 3n's layers without keys of their own: they begin at its twentieth, whatever a file says.
  `gemma4` has such layers, by the same code.
* Command-R+: norms of queries and keys come with 64 layers. `stablelm` has norms of that shape.
* DeepSeek V3: its attention is that of `deepseek2`; experts touch no cache.
* Drafts by a model's own extra layers (multi-token prediction, `gemma4-assistant`): they need what
  is in another context, hidden states or its caches. A draft model beside its target is two
  contexts, and every family is run beside another model.
* Other indexers than DeepSeek V3.2's (`glm-dsa`, `minimax-m3`, `deepseek4`, `qwen4exp` and more).
)";

struct Column {
  const char* name;
  Device device;
  CacheSettings settings;
};

std::vector<Column> columns() {
  std::vector<Column> all;
  for (const char* precision : {"K8V8", "K8V4", "K4V4", "K2V2"}) {
    all.push_back({precision, Device::kvsplit, packed(precision)});
  }
  CacheSettings stock = stock_8_and_4_bits();
  all.push_back({"q8_0/q4_0", Device::cpu, stock});
  stock.k_type = GGML_TYPE_Q4_0;
  all.push_back({"q4_0/q4_0", Device::cpu, stock});
  return all;
}

std::string what_becomes_of(const Family& family) {
  if (family.n_packed + family.n_unpacked == 0) return "no cache";
  if (family.n_unpacked == 0) return "packed";
  std::string text = "16 bits: ";
  for (const char* why : family.why) {
    if (why == nullptr) continue;
    if (why != family.why.front()) text += "; ";
    text += why;
  }
  return text;
}

std::string row(const Family& family) {
  std::ostringstream line;
  line << "| " << family.name << " | " << family.shape << " | " << what_becomes_of(family) << " |";
  line << std::fixed << std::setprecision(2);
  const std::vector<float> truth =
      family.packed() ? conversation(load(family, Device::cpu), exact()) : std::vector<float>();
  for (const Column& column : columns()) {
    if (!family.packed()) {
      line << " |";
      continue;
    }
    const Model model = load(family, column.device);
    line << ' ' << 100 * relative_error(conversation(model, column.settings), truth) << " |";
  }
  return line.str();
}

template <class Visit>
void visit_all(const Visit& visit) {
  for (const Family& family : all_families) visit(family);
  for (const Family& family : encoders) visit(family);
}

TEST(ModelsPage, IsWritten) {
  const char* const file = std::getenv("KVSPLIT_MODELS_PAGE");
  if (file == nullptr) {
    GTEST_SKIP() << "`make models` says where";
  }
  std::ofstream page(file);
  page << title << "the llama.cpp of llama-cpp-python " << build_config::llama_cpp_version
       << ", ggml " << build_config::ggml_version << introduction;
  std::string header = "| | attention | cache |";
  std::string rule = "| --- | --- | --- |";
  for (const Column& column : columns()) {
    header += std::string(" ") + column.name + " |";
    rule += " ---: |";
  }
  page << header << '\n' << rule << '\n';
  visit_all([&](const Family& family) { page << row(family) << '\n'; });
  page << end;
  EXPECT_TRUE(page.flush().good()) << file;
}

/// First columns of the table that begins with `| |`, up to the line that ends it.
std::vector<std::string> listed_families(std::istream& page) {
  std::vector<std::string> names;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("| --- |")) {
      inside = names.empty();
    } else if (inside && line.starts_with("| ")) {
      names.push_back(line.substr(2, line.find(" |", 2) - 2));
    } else {
      inside = false;
    }
  }
  return names;
}

TEST(ModelsPage, ListsTheFamiliesThatAreTested) {
  std::istringstream example(
      "| | a |\n| --- | --- |\n| one | 1 |\n| two | 2 |\n\n| | b |\n"
      "| --- | --- |\n| three | 3 |\n");
  EXPECT_EQ(listed_families(example), (std::vector<std::string>{"one", "two"}));

  std::vector<std::string> tested;
  visit_all([&](const Family& family) { tested.emplace_back(family.name); });
  std::ifstream page(KVSPLIT_SOURCE_DIR "/docs/models.md");
  ASSERT_TRUE(page.good());
  EXPECT_EQ(listed_families(page), tested) << "run `make models`";
}

}  // namespace
}  // namespace kvsplit::families
