// The instruction set's part of what the program chooses from.
constexpr KernelTable table(const char* name, bool (*supported)()) {
  return {name, supported, attend, merge, multiply, map_queries, encode_numbers};
}
