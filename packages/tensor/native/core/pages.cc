#include "core/pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace trimkv {
namespace {

void zero(char* from, char* to) { std::memset(from, 0, static_cast<size_t>(to - from)); }

// Afterwards the pages read as zeros, whether the system took them or not.
void give_back(char* from, char* to) {
  const auto bytes = static_cast<size_t>(to - from);
#if defined(__linux__)
  if (madvise(from, bytes, MADV_DONTNEED) != 0) zero(from, to);
#else
  zero(from, to);
  madvise(from, bytes, MADV_FREE);
#endif
}

}  // namespace

int64_t page_bytes() {
  static const int64_t bytes = sysconf(_SC_PAGESIZE);
  return bytes;
}

void clear_pages(char* from, int64_t bytes) {
  char* const to = from + bytes;
  const auto page = static_cast<uintptr_t>(page_bytes());
  const uintptr_t begin = reinterpret_cast<uintptr_t>(from), end = reinterpret_cast<uintptr_t>(to);
  const uintptr_t first = (begin + page - 1) / page * page, last = end / page * page;
  if (first >= last) {
    zero(from, to);
    return;
  }
  zero(from, from + (first - begin));
  give_back(from + (first - begin), to - (end - last));
  zero(to - (end - last), to);
}

}  // namespace trimkv
