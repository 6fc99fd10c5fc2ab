// The instruction set's part of what the program chooses from.
constexpr KernelTable table(const char* name, bool (*supported)()) {
  return {name, supported, attend, multiply, map_queries, encode_numbers};
}
