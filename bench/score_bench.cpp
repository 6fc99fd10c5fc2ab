// Scores alone: query rows against the packed keys of a layer, with the softmax.
//   score_bench --benchmark_filter='Score/.*/4'
#include "support/half_attention.h"
#include "support/program.h"

void kvsplit::bench::register_all() { add_half_attention("Score", Side::key); }
