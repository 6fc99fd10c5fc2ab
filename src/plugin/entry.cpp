#include "plugin/plugin.h"

/// What a host looks up in libggml-kvsplit.so.
extern "C" __attribute__((visibility("default"))) ggml_backend_reg* ggml_backend_init() {
  return kvsplit::plugin::backend_reg();
}
