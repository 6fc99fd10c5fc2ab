// Weighted sums alone: the packed values of a layer, with the softmax.
//   accumulate_bench --benchmark_filter='Accumulate/.*/4'
#include "support/half_attention.h"
#include "support/program.h"

void kvsplit::bench::register_all() { add_half_attention("Accumulate", Side::value); }
