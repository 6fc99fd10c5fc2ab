// Run at configure time: which ggml is this library?
#include <ggml.h>

#include <cstdio>

int main() {
  std::printf("ggml %s %s\n", ggml_version(), ggml_commit());
  return 0;
}
