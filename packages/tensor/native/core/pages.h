#pragma once
#include <cstdint>

namespace trimkv {

// Smallest amount of memory the system takes and gives back.
int64_t page_bytes();

// Zeros a range of private memory; pages that lie in it whole are given back to the system.
void clear_pages(char* from, int64_t bytes);

}  // namespace trimkv
