#pragma once
#include <cstdint>

namespace trimkv {

class Pool;  // native/core/pool.cc

// Runs body(context, chunk) for chunk = 0 … chunks−1 on the pool's threads and returns when all are done.
// Which thread takes which chunk is free; chunk boundaries must depend on shapes alone, so that results do not
// depend on the number of threads.
void pool_run(Pool& pool, int64_t chunks, void (*body)(void* context, int64_t chunk), void* context);

// The same for a callable. Internal linkage: the trampoline belongs to the kernel's instruction set.
template <typename F>
static inline void parallel_for(Pool& pool, int64_t chunks, F& body) {
  if (chunks <= 0) return;
  pool_run(
      pool, chunks, [](void* context, int64_t chunk) { (*static_cast<F*>(context))(chunk); }, &body);
}

}  // namespace trimkv
