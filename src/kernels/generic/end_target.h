// Ends the region that an instruction set's file began: from here on code is for every processor.
// Each compiler passes over the other's pragmas.
#pragma clang attribute pop
#pragma GCC pop_options
