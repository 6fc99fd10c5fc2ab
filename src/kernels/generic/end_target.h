// Ends the region that an instruction set's file began: from here on code is for every processor.
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
